//! Whatever is pushed, however little memory there is: it comes back once, in order.

use proptest::prelude::*;

use super::{Merge, Scratch, Sorted, Sorter, key};

type Record = (Vec<u8>, Vec<u8>);

fn drain(mut merge: Merge) -> Vec<Record> {
    let mut all = Vec::new();
    while let Some((key, value)) = merge.next().unwrap() {
        all.push((key.to_vec(), value.to_vec()));
    }
    all
}

fn sorter(records: &[Record], buffer: usize) -> Sorter {
    let mut sorter = Sorter::new(&Scratch::default().holding(buffer));
    for (key, value) in records {
        sorter.push(key, value).unwrap();
    }
    sorter
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let key = proptest::collection::vec(0_u8..3, 0..6);
    let value = proptest::collection::vec(any::<u8>(), 0..200);
    proptest::collection::vec((key, value), 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_out_of_order(records in records(), buffer in 1_usize..3000, cut in any::<prop::sample::Index>()) {
        let mut expected = records.clone();
        expected.sort();
        let sorted = sorter(&records, buffer).finish().unwrap();
        prop_assert_eq!(&drain(sorted.all().unwrap()), &expected);
        // Two sorters, in another order, are as one; and a second reading is as the first.
        let (a, b) = records.split_at(cut.index(records.len() + 1));
        let united = Sorted::of([sorter(b, buffer), sorter(a, buffer * 2)]).unwrap();
        prop_assert_eq!(&drain(united.all().unwrap()), &expected);
        prop_assert_eq!(&drain(united.all().unwrap()), &expected);
    }

    #[test]
    fn reading_from_a_key_leaves_out_what_is_less(records in records(), from in proptest::collection::vec(0_u8..3, 0..6), buffer in 1_usize..3000) {
        let mut expected: Vec<_> = records.iter().filter(|(key, _)| *key >= from).cloned().collect();
        expected.sort();
        prop_assert_eq!(drain(sorter(&records, buffer).finish().unwrap().from(&from).unwrap()), expected);
    }

    #[test]
    fn keys_order_as_their_texts_do(a in any::<(String, String)>(), b in any::<(String, String)>()) {
        let bytes = |pair: &(String, String)| {
            let mut key = Vec::new();
            key::text(&mut key, &pair.0);
            key::text(&mut key, &pair.1);
            key
        };
        prop_assert_eq!(bytes(&a).cmp(&bytes(&b)), a.cmp(&b));
        let written = bytes(&a);
        let mut pieces = key::Pieces(&written);
        prop_assert_eq!((pieces.text().unwrap(), pieces.text().unwrap()), a);
    }
}

#[test]
fn texts_with_nul_order_too() {
    let bytes = |text: &str| {
        let mut key = Vec::new();
        key::text(&mut key, text);
        key
    };
    let mut texts = ["", "\0", "\0\0", "\0a", "\u{1}", "a", "a\0", "a\0b", "a\u{1}", "ab"];
    texts.sort_unstable_by_key(|text| bytes(text));
    assert!(texts.is_sorted(), "{texts:?}");
    assert_eq!(key::Pieces(&bytes("a\0b")).text().unwrap(), "a\0b");
}

#[test]
fn what_fits_into_memory_never_touches_the_disk_and_what_does_not_is_reported() {
    let records: Vec<Record> = (0..1000_u32).map(|n| (n.to_be_bytes().to_vec(), vec![7; 100])).collect();
    let written = |buffer| {
        let scratch = Scratch::default().holding(buffer);
        let mut sorter = Sorter::new(&scratch);
        records.iter().for_each(|(key, value)| sorter.push(key, value).unwrap());
        assert_eq!(drain(sorter.finish().unwrap().all().unwrap()).len(), 1000);
        scratch.written()
    };
    assert_eq!(written(1 << 20), 0);
    assert!(written(1 << 10) > 100_000);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_no_loss() {
    let scratch = Scratch::default().within(std::path::Path::new("/nonexistent/orgproof")).holding(1);
    let mut sorter = Sorter::new(&scratch);
    sorter.push(b"a", b"").unwrap();
    assert!(sorter.push(b"b", b"").is_err());
}
