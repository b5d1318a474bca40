//! The JSON Schema for editors says what the reader takes.

use serde_json::Value;

use super::super::{
    SCHEMA, facts,
    read::{CHECK_KEYS, FILE_KEYS, ITEM_KEYS, MAPPING_KEYS, OPERATING_KEYS, REQUIREMENT_KEYS},
};

fn names<'a>(values: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<_> = values.map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn the_schema_knows_the_same_keys_and_states_as_the_reader() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let keys = |value: &Value| names(value["properties"].as_object().unwrap().keys().map(String::as_str));
    let ours = |keys: &[&'static str]| names(keys.iter().copied());
    let part = |name: &str| keys(&schema["$defs"][name]);
    assert_eq!(keys(&schema), ours(FILE_KEYS));
    assert_eq!(part("requirement"), ours(REQUIREMENT_KEYS));
    assert_eq!(part("item"), ours(ITEM_KEYS));
    assert_eq!(part("operating"), ours(OPERATING_KEYS));
    assert_eq!(part("mapping"), ours(MAPPING_KEYS));
    assert_eq!(part("check"), ours(CHECK_KEYS));
    let states = schema["$defs"]["check"]["properties"]["state"]["enum"].as_array().unwrap();
    let known = names(facts::STATES.iter().map(|(name, _)| *name));
    assert_eq!(names(states.iter().map(|state| state.as_str().unwrap())), known);
    assert_eq!(names(crate::observe::states::ALL.into_iter()), known, "lint accepts what the program reads");
}
