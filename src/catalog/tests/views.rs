//! What the command line shows of the catalogue is all of it.

use std::path::Path;

use super::super::{Catalog, How, load, view};

fn catalog() -> Catalog {
    load(&["cis-aws-3.0".to_owned(), "s3-data-leak".to_owned()], Path::new(".")).unwrap().0
}

#[test]
fn coverage_counts_every_requirement_and_every_item_once() {
    let catalog = catalog();
    for (row, framework) in view::coverage(&catalog).iter().zip(&catalog.frameworks) {
        assert_eq!(row.requirements, framework.requirements.len());
        assert_eq!(row.fully_automated + row.partly_automated + row.not_automated, row.requirements);
        assert_eq!(row.aws_documented + row.derived + row.judgement, row.fully_automated + row.partly_automated);
        let items: usize = framework.requirements.iter().map(|requirement| requirement.items.len()).sum();
        assert_eq!(row.automated_items + row.manual_items + row.declined_items + row.inherited_items, items);
    }
    assert!(view::coverage_text(&view::coverage(&catalog)).contains("cis-aws-3.0"));
}

#[test]
fn the_matrix_has_a_row_for_each_item_and_names_each_check() {
    let catalog = catalog();
    let rows = view::matrix(&catalog, "en");
    let mut expected = rows.iter();
    for framework in &catalog.frameworks {
        for (requirement, item) in framework.requirements.iter().flat_map(|r| r.items.iter().map(move |item| (r, item)))
        {
            let row = expected.next().unwrap();
            assert_eq!((&row.framework, &row.requirement, &row.item), (&framework.id, &requirement.id, &item.id));
            if let How::Automated { checks } = &item.how {
                assert_eq!(row.by, checks.iter().map(|mapped| mapped.check.clone()).collect::<Vec<_>>());
                assert!(row.confidence.is_some());
            }
        }
    }
    assert_eq!(view::matrix_text(&rows).lines().count(), rows.len() + 1);
}

#[test]
fn a_requirement_is_shown_with_its_mapping_and_a_slip_is_recognised() {
    let catalog = catalog();
    let text = view::find(&catalog, "cis-aws-3.0", Some("2.1.4")).unwrap().text("en");
    assert!(text.contains("securityhub/S3.8") && text.contains("aws-documented: awsdocs-2026"), "{text}");
    let text = view::find(&catalog, "securityhub/S3.8", None).unwrap().text("en");
    assert!(text.contains("used by: cis-aws-3.0 2.1.4, s3-data-leak SDL-2"), "{text}");
    let error = view::find(&catalog, "cis-aws-3", None).unwrap_err();
    assert_eq!(error.help.as_deref(), Some("did you mean \"cis-aws-3.0\"?"));
    assert!(view::find(&catalog, "cis-aws-3.0", Some("9.9")).is_err());
    assert!(view::find(&catalog, "s3-data-leak", None).unwrap().text("ja").contains("データ"));
}

#[test]
fn lint_of_nothing_in_particular_reads_everything_shipped() {
    let all = view::lint(&[], Path::new(".")).unwrap();
    let one = view::lint(&["s3-data-leak".to_owned()], Path::new(".")).unwrap();
    assert_eq!(one.requirements, 6);
    assert!(all.requirements > one.requirements && all.frameworks > 1);
}
