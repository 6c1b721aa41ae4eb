//! Which keys `[lake.options]` may have: those of the store that the lake's address names.

use std::str::FromStr;

use object_store::ClientConfigKey;
use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;

/// The keys that people mostly write, to name the nearest one.
const S3: &[&str] = &[
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_region",
    "aws_endpoint",
    "aws_virtual_hosted_style_request",
    "aws_skip_signature",
    "aws_server_side_encryption",
    "aws_sse_kms_key_id",
    "aws_sse_bucket_key_enabled",
    "aws_imdsv1_fallback",
    "aws_request_payer",
    "aws_s3_express",
    "aws_checksum_algorithm",
];
const AZURE: &[&str] = &[
    "azure_storage_account_name",
    "azure_storage_account_key",
    "azure_storage_client_id",
    "azure_storage_client_secret",
    "azure_storage_tenant_id",
    "azure_storage_sas_key",
    "azure_storage_endpoint",
    "azure_federated_token_file",
    "azure_use_azure_cli",
];
const GOOGLE: &[&str] = &[
    "google_service_account",
    "google_service_account_key",
    "google_application_credentials",
    "google_bucket",
];
const CLIENT: &[&str] = &[
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "timeout",
    "pool_idle_timeout",
    "proxy_url",
    "user_agent",
];

/// Why `key` can not be an option of a store with this scheme; `None` if it can.
///
/// The store's own parser passes over what it does not know, so that a slip in a key would be found only when
/// nothing works.
pub fn refused(scheme: &str, key: &str) -> Option<String> {
    let key = key.to_ascii_lowercase();
    let (known, usual): (bool, &[&str]) = match scheme {
        "s3" | "s3a" => (AmazonS3ConfigKey::from_str(&key).is_ok(), S3),
        "gs" => (GoogleConfigKey::from_str(&key).is_ok(), GOOGLE),
        "az" | "abfs" | "abfss" => (AzureConfigKey::from_str(&key).is_ok(), AZURE),
        // A folder needs none; a job that is tried on one may keep those of its bucket.
        _ => (
            ["s3", "gs", "az"]
                .iter()
                .any(|store| refused(store, &key).is_none()),
            S3,
        ),
    };
    if known || ClientConfigKey::from_str(&key).is_ok() {
        return None;
    }
    let nearest = usual
        .iter()
        .chain(CLIENT)
        .max_by(|a, b| strsim::jaro_winkler(a, &key).total_cmp(&strsim::jaro_winkler(b, &key)));
    let nearest = nearest.map_or("", |near| near);
    Some(format!(
        "`{key}` in [lake.options] is no option of {scheme}; the nearest is `{nearest}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_keys_are_known_and_others_named() {
        for (scheme, keys) in [("s3", S3), ("az", AZURE), ("gs", GOOGLE)] {
            for key in keys.iter().chain(CLIENT) {
                assert_eq!(refused(scheme, key), None, "{scheme} {key}");
            }
        }
        let told = refused("s3", "aws_acess_key_id").expect("it is misspelt");
        assert!(told.contains("aws_access_key_id"), "{told}");
        assert_eq!(refused("file", "aws_region"), None);
        assert!(refused("file", "aws_regoin").is_some());
    }
}
