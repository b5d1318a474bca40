//! What every store promises, tried on each of them.

use std::{
    io::{self, Read},
    sync::Barrier,
};

use super::{DirectoryStore, Store, StoreError, memory::MemoryStore, read_all};

/// A store that is empty, and what must outlive it.
struct Case {
    store: Box<dyn Store>,
    _keep: Box<dyn std::any::Any>,
}

fn cases() -> Vec<Case> {
    let folder = tempfile::tempdir().unwrap();
    let directory = DirectoryStore::create(&folder.path().join("s")).unwrap();
    #[cfg_attr(not(feature = "aws"), expect(unused_mut, reason = "there is no further store without AWS"))]
    let mut cases = vec![
        Case { store: Box::new(directory), _keep: Box::new(folder) },
        Case { store: Box::new(MemoryStore::default()), _keep: Box::new(()) },
    ];
    #[cfg(feature = "aws")]
    {
        let stage = super::s3::tests::Stage::new();
        cases.push(Case { store: Box::new(stage.store()), _keep: Box::new(stage) });
    }
    cases
}

fn bytes(store: &dyn Store, name: &str) -> Vec<u8> {
    read_all(store, name, 64 << 20).unwrap()
}

#[test]
fn what_is_written_is_read_and_listed() {
    for Case { store, _keep } in cases() {
        let names = [
            "chain/00000000/seal.json",
            "chain/00000001/seal.json",
            "archives/00000001-run-close.zip",
            "a",
            "chain2/x",
        ];
        for name in names {
            assert!(!store.exists(name).unwrap(), "{}", store.url());
            assert!(matches!(store.read(name).map(drop), Err(StoreError::NotFound { .. })));
            store.put_new(name, &mut name.as_bytes()).unwrap();
            assert!(store.exists(name).unwrap());
            assert_eq!(bytes(&*store, name), name.as_bytes());
        }
        assert_eq!(store.list("chain/").unwrap(), names[..2], "{}", store.url());
        assert_eq!(
            store.list("").unwrap(),
            [
                "a",
                "archives/00000001-run-close.zip",
                "chain/00000000/seal.json",
                "chain/00000001/seal.json",
                "chain2/x"
            ]
        );
        assert_eq!(store.list("absent/").unwrap(), Vec::<String>::new());
        assert!(read_all(&*store, "a", 0).is_err(), "a limit holds");
        store.put_new("empty", &mut io::empty()).unwrap();
        assert_eq!(bytes(&*store, "empty"), b"");
        assert_eq!(store.tampering().unwrap(), []);
    }
}

#[test]
fn what_was_written_is_never_written_again() {
    for Case { store, _keep } in cases() {
        store.put_new("x", &mut &b"first"[..]).unwrap();
        for again in [&b"second"[..], b"first"] {
            let mut again = again;
            assert!(matches!(store.put_new("x", &mut again), Err(StoreError::AlreadyExists { .. })), "{}", store.url());
            assert_eq!(bytes(&*store, "x"), b"first");
        }
    }
}

#[test]
fn of_many_writers_exactly_one_wins_and_the_object_is_whole() {
    for Case { store, _keep } in cases() {
        let barrier = Barrier::new(6);
        let won: usize = std::thread::scope(|scope| {
            let one = |n: u8| {
                let (store, barrier) = (&store, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    match store.put_new("chain/00000000/seal.dsse.json", &mut vec![n; 100_000].as_slice()) {
                        Ok(()) => 1,
                        Err(StoreError::AlreadyExists { .. }) => 0,
                        Err(e) => panic!("{e}"),
                    }
                })
            };
            (0..6u8).map(one).collect::<Vec<_>>().into_iter().map(|h| h.join().unwrap()).sum()
        });
        assert_eq!(won, 1, "{}", store.url());
        let all = bytes(&*store, "chain/00000000/seal.dsse.json");
        assert!(all.len() == 100_000 && all.iter().all(|b| *b == all[0]));
    }
}

#[test]
fn the_checkpoint_is_replaced() {
    for Case { store, _keep } in cases() {
        for content in ["1", "22", "3"] {
            store.replace("checkpoint", content.as_bytes()).unwrap();
            assert_eq!(bytes(&*store, "checkpoint"), content.as_bytes(), "{}", store.url());
        }
        assert_eq!(store.tampering().unwrap(), [], "that is what it is for");
    }
}

#[test]
fn a_large_object_comes_back_as_it_was() {
    let content: Vec<u8> = (0..11_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for Case { store, _keep } in cases() {
        store.put_new("archives/large.zip", &mut content.as_slice()).unwrap();
        assert!(bytes(&*store, "archives/large.zip") == content, "{}", store.url());
        let again = store.put_new("archives/large.zip", &mut content.as_slice());
        assert!(matches!(again, Err(StoreError::AlreadyExists { .. })), "{}", store.url());
    }
}

#[test]
fn a_source_that_fails_leaves_nothing_behind() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = buffer.len().min(self.0);
            self.0 -= n;
            if n == 0 { Err(io::Error::other("cut")) } else { Ok(n) }
        }
    }
    for Case { store, _keep } in cases() {
        for length in [0, 9_000_000] {
            assert!(store.put_new("x", &mut Failing(length)).is_err());
            assert_eq!(store.list("").unwrap(), Vec::<String>::new(), "{}", store.url());
        }
        store.put_new("x", &mut &b"now"[..]).unwrap();
    }
}

#[test]
fn names_cannot_leave_the_store() {
    for Case { store, _keep } in cases() {
        if store.url() == "memory:" {
            continue; // It has no outside.
        }
        for name in ["../x", "/etc/x", "a//b", "", "a/..", "a\\b", "a\u{1b}b"] {
            assert!(matches!(store.put_new(name, &mut &b""[..]), Err(StoreError::Name { .. })), "{name}");
            assert!(matches!(store.read(name).map(drop), Err(StoreError::Name { .. })), "{name}");
        }
    }
}

#[test]
fn the_lock_keeps_a_second_writer_out_until_it_is_dropped() {
    for Case { store, _keep } in cases() {
        for _ in 0..3 {
            let guard = store.lock().unwrap();
            assert!(matches!(store.lock(), Err(StoreError::Locked { .. })), "{}", store.url());
            store.check_writable().unwrap();
            drop(guard);
        }
        assert_eq!(store.list("").unwrap(), Vec::<String>::new(), "no listing shows it: {}", store.url());
    }
}
