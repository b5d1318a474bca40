//! Laws that hold for any arrangement and any damage.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::{Catalog, Faults, digest, load};

const NUMBER_OF_CHECKS: usize = 6;

fn check(number: usize) -> String {
    format!(
        "[[check]]\nid = \"own/{number}\"\ntitle = \"{number}\"\nconfig-rule = \"custom:rule-{number}\"\nseverity = \"low\"\n\
         pass = \"p\"\nfail = \"f\"\nnot-applicable = \"n\"\nnot-assessed = \"u\"\nremedy = \"r\"\n"
    )
}

fn framework() -> String {
    let checks: Vec<_> = (0..NUMBER_OF_CHECKS).map(|number| format!("\"own/{number}\"")).collect();
    format!(
        "id = \"own\"\ntitle = \"Own\"\nversion = \"1\"\n[[requirement]]\nid = \"1\"\ntitle = \"t\"\ndescription = \"d\"\n\
         responsibility = \"customer\"\nresponsibility-reason = \"r\"\n[[requirement.item]]\nid = \"a\"\ntitle = \"t\"\n\
         confidence = \"judgement\"\nsource = \"us\"\nchecks = [{}]\n",
        checks.join(", ")
    )
}

/// Writes the checks into files as `home` says, in the order of `order`, and loads everything in the order of `wanted`.
fn arranged(home: &[usize], order: &[usize], wanted: &[usize]) -> Catalog {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..3 {
        let inside = order.iter().filter(|number| home[**number] == file).map(|number| check(*number));
        std::fs::write(folder.path().join(format!("{file}.toml")), inside.collect::<String>()).unwrap();
    }
    std::fs::write(folder.path().join("3.toml"), framework()).unwrap();
    let wanted: Vec<_> = wanted.iter().map(|file| format!("{file}.toml")).collect();
    let (catalog, files) = load(&wanted, folder.path()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(Catalog::from_files(&files).unwrap(), catalog);
    assert_eq!(digest(&files), catalog.digest);
    catalog
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn neither_the_file_of_a_check_nor_the_order_of_files_or_checks_matters(
        home in prop::collection::vec(0..3_usize, NUMBER_OF_CHECKS),
        order in Just((0..NUMBER_OF_CHECKS).collect::<Vec<_>>()).prop_shuffle(),
        wanted in Just(vec![0, 1, 2, 3]).prop_shuffle(),
    ) {
        let plain = arranged(&[0; NUMBER_OF_CHECKS], &[0, 1, 2, 3, 4, 5], &[0, 1, 2, 3]);
        let other = arranged(&home, &order, &wanted);
        prop_assert_eq!(plain.checks.len(), NUMBER_OF_CHECKS);
        prop_assert_eq!(plain.checks, other.checks);
        prop_assert_eq!(plain.frameworks, other.frameworks);
    }

    #[test]
    fn damaged_text_is_a_fault_or_a_catalogue_and_never_a_panic(
        from in 0..600_usize, length in 0..40_usize, instead in "[ -~\n]{0,8}",
    ) {
        let mut text = framework() + &(0..NUMBER_OF_CHECKS).map(check).collect::<String>();
        let start = from.min(text.len());
        text.replace_range(start..(start + length).min(text.len()), &instead);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.toml"), &text).unwrap();
        match load(&["own.toml".to_owned()], folder.path()) {
            Ok((catalog, files)) => prop_assert_eq!(Catalog::from_files(&files).unwrap(), catalog),
            Err(Faults(faults)) => {
                prop_assert!(!faults.is_empty());
                let sorted: BTreeSet<_> = faults.iter().cloned().collect();
                prop_assert_eq!(sorted.into_iter().collect::<Vec<_>>(), faults);
            }
        }
    }
}
