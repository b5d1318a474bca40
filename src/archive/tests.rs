//! What is staged comes out again, and this room's document names every code that the verifier gives.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{ArchiveError, Reader, Staging, chain::Chain, chain::Facts};
use crate::{
    model::Sha256Digest,
    sign::{Algorithm, FileSigner},
    store,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn what_is_staged_is_read_back_byte_for_byte(
        files in proptest::collection::btree_map("[a-z0-9]{1,8}(/[a-z0-9.=_-]{1,9}x)?", proptest::collection::vec(any::<u8>(), 0..3000), 1..8)
    ) {
        let folder = tempfile::tempdir().unwrap();
        // A name cannot be a file and a folder at once.
        let files: BTreeMap<String, Vec<u8>> =
            files.into_iter().map(|(n, b)| (format!("data/x/{}.f", n.replace('/', ".d/")), b)).collect();
        let staging = Staging::create(&folder.path().join("staging")).unwrap();
        for (name, bytes) in &files {
            let staged = staging.add(name, bytes).unwrap();
            prop_assert_eq!(staged.sha256, Sha256Digest::of(bytes));
        }
        let signer = FileSigner::from_seed(Algorithm::Ed25519, &[3; 32]).unwrap();
        let store = store::open("file:store", folder.path()).unwrap();
        let mut chain = Chain::open(store, Box::new(signer), &[0; 16]).unwrap();
        let facts = Facts::new(1, jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::UNIX_EPOCH);
        let sealed = chain.assessment(&staging, &facts, &[9; 32]).unwrap();
        let reader = Reader::open(&folder.path().join("store").join(sealed.archive.unwrap())).unwrap();
        for (name, bytes) in &files {
            prop_assert_eq!(&reader.bytes(name).unwrap(), bytes);
        }
        prop_assert_eq!(reader.seal_digest(), sealed.digest);
    }
}

#[test]
fn files_that_do_not_belong_or_are_not_whole_are_never_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let staging = Staging::create(folder.path()).unwrap();
    for bad in ["plan.ndjson", "../data/x", "data/../x", "/data/x", "data/ä"] {
        assert!(matches!(staging.writer(bad), Err(ArchiveError::Path(_))), "{bad}");
    }
    staging.add("data/x", b"1").unwrap();
    assert!(staging.writer("data/x").is_err(), "no file is written twice");
    assert!(matches!(Staging::create(folder.path()), Err(ArchiveError::NotEmpty(_))));
    drop(staging.writer("data/half").unwrap());
    assert!(matches!(staging.files(), Err(ArchiveError::Unfinished(_))));
}

#[test]
fn no_file_grows_past_what_a_browser_hashes_in_one_piece() {
    let folder = tempfile::tempdir().unwrap();
    let staging = Staging::create(folder.path()).unwrap();
    let mut writer = staging.writer("data/big").unwrap();
    let piece = vec![0; 16 * 1024 * 1024];
    for _ in 0..4 {
        std::io::Write::write_all(&mut writer, &piece).unwrap();
    }
    assert_eq!(writer.remaining(), 0);
    assert!(std::io::Write::write_all(&mut writer, b"x").is_err());
    assert_eq!(writer.finish().unwrap().size, super::MAX_FILE);
}

#[test]
fn lines_in_parts_are_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let staging = Staging::create(folder.path()).unwrap();
    staging.add("data/plan.ndjson", b"a\n").unwrap();
    assert_eq!(staging.joint_digest("data/plan.ndjson").unwrap(), Some(Sha256Digest::of("a\n")));
    staging.add("data/plan.001.ndjson", b"b\n").unwrap();
    staging.add("data/plan.003.ndjson", b"d\n").unwrap();
    assert_eq!(staging.joint_digest("data/plan.ndjson").unwrap(), Some(Sha256Digest::of("a\nb\n")));
    assert_eq!(staging.joint_digest("data/none.ndjson").unwrap(), None);
}

#[test]
fn the_format_document_names_every_code() {
    let document = include_str!("FORMAT.md");
    let sources = [
        include_str!("zip_read.rs"),
        include_str!("reader.rs"),
        include_str!("../verify/mod.rs"),
        include_str!("../verify/archive.rs"),
        include_str!("../verify/chain.rs"),
        include_str!("../verify/content.rs"),
        include_str!("../verify/proof.rs"),
        include_str!("../verify/replay.rs"),
    ];
    let mut seen = 0;
    for source in sources {
        for opening in ["Problem::new(", "refuse(", "problem(", "unchecked("] {
            for rest in source.split(opening).skip(1) {
                let Some(code) = rest.trim_start().strip_prefix('"').and_then(|r| r.split('"').next()) else {
                    continue;
                };
                if code.contains(' ') {
                    continue;
                }
                seen += 1;
                assert!(document.contains(&format!("`{code}`")), "FORMAT.md does not name {code}");
            }
        }
    }
    assert!(seen > 50, "{seen}");
}
