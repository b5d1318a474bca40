//! What an `awskms:` URI may say.

/// A key of AWS KMS, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyName {
    /// What KMS is asked for: an ARN, `alias/NAME` or a key id.
    pub(super) id: String,
    /// Its Region, where the name tells it.
    pub(super) region: Option<String>,
}

impl KeyName {
    /// Reads what follows `awskms:`.
    ///
    /// # Errors
    /// Where it is not understood, with what to write instead.
    pub(super) fn parse(rest: &str) -> Result<Self, String> {
        let Some(rest) = rest.strip_prefix("//") else {
            return Err("write three slashes: awskms:///alias/NAME".to_owned());
        };
        let Some(id) = rest.strip_prefix('/') else {
            return Err(
                "the place of a host is reserved; another endpoint is set with AWS_ENDPOINT_URL_KMS. Write three slashes: awskms:///alias/NAME"
                    .to_owned(),
            );
        };
        let region = if id.starts_with("arn:") { Some(region_of(id)?) } else { None };
        if region.is_none() && !is_key(id) {
            return Err(format!("{id:?} is neither alias/NAME, nor a key's id, nor an ARN of a key or alias"));
        }
        Ok(Self { id: id.to_owned(), region })
    }
}

/// The Region of `arn:PARTITION:kms:REGION:ACCOUNT:(key|alias)/…`.
fn region_of(arn: &str) -> Result<String, String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "kms", region, account, resource]
            if partition.starts_with("aws")
                && !region.is_empty()
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && (resource.strip_prefix("key/").is_some_and(is_key) || is_alias(resource)) =>
        {
            Ok((*region).to_owned())
        }
        _ => Err(format!(
            "{arn:?} is no ARN of a KMS key or alias: arn:aws:kms:REGION:ACCOUNT:key/ID or arn:aws:kms:REGION:ACCOUNT:alias/NAME"
        )),
    }
}

/// `alias/` and 1 to 250 of the letters that CreateAlias allows.
fn is_alias(text: &str) -> bool {
    text.strip_prefix("alias/").is_some_and(|name| {
        (1..=250).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b))
    })
}

/// A UUID, or `mrk-` and 32 hexadecimal digits; or an alias.
fn is_key(text: &str) -> bool {
    let hex = |t: &str| t.bytes().all(|b| b.is_ascii_hexdigit());
    let uuid = text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(hex);
    uuid || text.strip_prefix("mrk-").is_some_and(|id| id.len() == 32 && hex(id)) || is_alias(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_ids_and_arns_are_understood_and_nothing_else() {
        let arn = "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        for (good, region) in [
            ("///alias/evidence-seal", None),
            ("///alias/team/seal_1", None),
            ("///1234abcd-12ab-34cd-56ef-1234567890ab", None),
            ("///mrk-1234abcd12ab34cd56ef1234567890ab", None),
            (&format!("///{arn}"), Some("cn-north-1")),
            ("///arn:aws:kms:eu-west-1:111122223333:alias/seal", Some("eu-west-1")),
        ] {
            let name = KeyName::parse(good).unwrap();
            assert_eq!((name.region.as_deref(), format!("///{}", name.id).as_str()), (region, good));
        }
        for (bad, why) in [
            ("alias/x", "three slashes"),
            ("//alias/x", "reserved"),
            ("//localhost:4566/alias/x", "AWS_ENDPOINT_URL_KMS"),
            ("///", "neither"),
            ("///alias/", "neither"),
            ("///alias/a b", "neither"),
            ("///key/x", "neither"),
            ("///arn:aws:iam::111122223333:role/x", "no ARN of a KMS key"),
            ("///arn:aws:kms:us-east-1:1:alias/x", "no ARN"),
            ("///arn:aws:kms:us-east-1:111122223333:grant/x", "no ARN"),
        ] {
            let message = KeyName::parse(bad).unwrap_err();
            assert!(message.contains(why), "{bad}: {message}");
        }
    }
}
