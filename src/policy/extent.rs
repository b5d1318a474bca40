//! How far one cause of a denial reaches by itself: the difference between a guardrail with a break-glass role and one that merely
//! happens to touch the action (a Deny for the root user, for one bucket, for foreign Regions).

use serde::Serialize;

use super::{
    condition::{Quantifier, Test},
    language::{Sense, Statement},
    pattern::Pattern,
};

/// How far one cause denies the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// Every action of the query, every resource, every request.
    Everything,
    /// Everything but the requests of principals that the statement names as exempt.
    AllButNamed,
    /// Less than that, or it cannot be told.
    Part,
}

/// True where a Deny on every resource is limited by nothing but the naming of exempt principals. Says nothing of its actions.
pub(super) fn exempts_only_named(statement: &Statement) -> bool {
    let everyone = statement.principals.as_ref().is_none_or(|p| p.is_everyone());
    let everything = statement.resources.sense == Sense::Listed && statement.resources.list.iter().any(Pattern::is_any);
    everyone && everything && !statement.condition.is_empty() && statement.condition.tests.iter().all(names_the_exempt)
}

/// True for "the principal is none of these", where each of these names somebody: `role/BreakGlass`, but not `role/*`.
///
/// Only keys by which a principal is told from its neighbours count: not its account or organisation, which may be those of everybody asked.
fn names_the_exempt(test: &Test) -> bool {
    let negated = ["StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike", "ArnNotEquals", "ArnNotLike"];
    let key = test.key.to_ascii_lowercase();
    let named: fn(&str) -> bool = match key.as_str() {
        "aws:principalarn" => names_a_principal,
        key if key.starts_with("aws:principaltag/") => |value| value.starts_with(char::is_alphanumeric),
        _ => return false,
    };
    test.quantifier == Quantifier::One
        && negated.contains(&test.operator)
        && !test.values.is_empty()
        && test.values.iter().all(|value| !value.contains("${") && named(value))
}

/// True where an ARN, or a pattern of one, gives a letter or digit of the name, which follows the first slash, or is the root user's.
fn names_a_principal(arn: &str) -> bool {
    arn.ends_with(":root") || arn.split_once('/').is_some_and(|(_, name)| name.contains(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::language::{Document, Kind};

    fn exempts(body: &str) -> bool {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Action":"s3:*",{body}}}}}"#);
        exempts_only_named(&Document::parse(&text, Kind::ServiceControl).unwrap().statements[0])
    }

    fn where_(condition: &str) -> bool {
        exempts(&format!(r#""Resource":"*","Condition":{{{condition}}}"#))
    }

    #[test]
    fn naming_the_exempt_is_one_thing() {
        for condition in [
            r#""ArnNotLike":{"aws:PrincipalARN":"arn:aws:iam::*:role/BreakGlass"}"#,
            r#""ArnNotLikeIfExists":{"aws:PrincipalArn":["arn:aws:iam::*:role/pipeline/*","arn:aws:iam::*:role/a*"]}"#,
            r#""StringNotLike":{"aws:PrincipalArn":"arn:*:iam::*:role/*/AWSReservedSSO_Admin_*"},"StringNotEquals":{"aws:PrincipalTag/team":"security"}"#,
        ] {
            assert!(where_(condition), "{condition}");
        }
    }

    #[test]
    fn everything_else_is_another() {
        for condition in [
            r#""StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:root"}"#,
            r#""StringNotEquals":{"aws:RequestedRegion":["eu-central-1"]}"#,
            r#""ArnNotLike":{"aws:PrincipalArn":"*"}"#,
            r#""ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:*"}"#,
            r#""ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}"#,
            r#""ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/BreakGlass","arn:aws:iam::*:*/*"]}"#,
            r#""ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam*"}"#,
            r#""StringNotLike":{"aws:PrincipalArn":"ar*"}"#,
            r#""ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:r*"}"#,
            r#""StringNotEquals":{"aws:PrincipalAccount":"222222222222"}"#,
            r#""StringNotLike":{"aws:PrincipalTag/team":"*"}"#,
            r#""StringNotLike":{"aws:userid":"AROA*"}"#,
            r#""ArnNotLike":{"aws:PrincipalArn":[]}"#,
            r#""ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::1:role/${aws:x}"}"#,
            r#""ForAllValues:StringNotEquals":{"aws:PrincipalTag/team":"security"}"#,
            r#""ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/BreakGlass"},"Bool":{"aws:MultiFactorAuthPresent":"false"}"#,
            "",
        ] {
            assert!(!where_(condition), "{condition}");
        }
        let named = r#""Condition":{"ArnNotLike":{"aws:PrincipalARN":"arn:aws:iam::*:role/BreakGlass"}}"#;
        assert!(exempts(&format!(r#""Resource":"*",{named}"#)));
        assert!(!exempts(&format!(r#""Resource":"arn:aws:s3:::a",{named}"#)));
        assert!(!exempts(&format!(r#""NotResource":"arn:aws:s3:::a",{named}"#)));
    }
}
