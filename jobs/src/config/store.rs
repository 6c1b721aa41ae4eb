//! Credentials and settings of the lake's store that a job file need not name: the usual environment variables,
//! and a profile of the AWS command line tools.
//!
//! The store itself goes on from there: without keys, it asks the instance, the container or the workload's identity.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ini::Ini;
use secrecy::SecretString;

use super::address::Refused;
use super::expand::Environment;

/// Variables whose lower-case names are the store's options.
const AWS: &[&str] = &[
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ALLOW_HTTP",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_REQUEST_PAYER",
    "AWS_SKIP_SIGNATURE",
    "AWS_METADATA_ENDPOINT",
];
const AWS_CREDENTIALS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
const AZURE: &[&str] = &[
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_STORAGE_USE_EMULATOR",
    "AZURE_AUTHORITY_HOST",
];
const AZURE_CREDENTIALS: &[&str] = &[
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_CLIENT_ID",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_STORAGE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_TENANT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_TOKEN",
];
const GOOGLE_CREDENTIALS: &[&str] = &[
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
];

/// What the surroundings say about the store at `url` and the job does not.
///
/// A job that names credentials has them from the job alone: a session token of the environment does not fit a
/// key of the job.
pub fn from_surroundings(
    url: &str,
    options: &BTreeMap<String, SecretString>,
    environment: &Environment<'_>,
) -> Result<BTreeMap<String, SecretString>, Refused> {
    let (settings, credentials): (&[&str], &[&str]) = match url.split_once("://") {
        Some(("s3" | "s3a", _)) => (AWS, AWS_CREDENTIALS),
        Some(("az" | "abfs" | "abfss", _)) => (AZURE, AZURE_CREDENTIALS),
        Some(("gs", _)) => (&[], GOOGLE_CREDENTIALS),
        _ => return Ok(BTreeMap::new()),
    };
    let mut found = BTreeMap::new();
    let mut read = |names: &[&str]| {
        for name in names {
            if let Some(value) = environment(name).filter(|value| !value.is_empty()) {
                found.insert(name.to_ascii_lowercase(), SecretString::from(value));
            }
        }
    };
    read(settings);
    if !names_credentials(options) {
        read(credentials);
        let keys = found.contains_key("aws_access_key_id");
        if settings == AWS
            && !keys
            && let Some(profile) = environment("AWS_PROFILE")
        {
            found.extend(of_profile(&profile, environment)?);
        }
    }
    // `aws_region` and `region` are one option: a job's own spelling of it wins.
    let plain = |key: &str| {
        let key = key.to_ascii_lowercase();
        let key = key
            .trim_start_matches("aws_")
            .trim_start_matches("azure_")
            .trim_start_matches("storage_");
        match key {
            "endpoint_url" | "endpoint_url_s3" => "endpoint".to_owned(),
            "default_region" => "region".to_owned(),
            key => key.to_owned(),
        }
    };
    let said: Vec<String> = options.keys().map(|key| plain(key)).collect();
    found.retain(|key, _| !said.contains(&plain(key)));
    Ok(found)
}

fn names_credentials(options: &BTreeMap<String, SecretString>) -> bool {
    const MARKS: [&str; 9] = [
        "access_key",
        "account_key",
        "secret",
        "token",
        "sas",
        "service_account",
        "client_id",
        "credentials",
        "skip_signature",
    ];
    let names = |key: &String| {
        MARKS
            .iter()
            .any(|mark| key.to_ascii_lowercase().contains(mark))
    };
    options.keys().any(names)
}

/// Keys and region of a profile, from the files that `aws configure` writes.
fn of_profile(
    profile: &str,
    environment: &Environment<'_>,
) -> Result<BTreeMap<String, SecretString>, Refused> {
    let file = |variable: &str, name: &str| -> Option<PathBuf> {
        environment(variable)
            .map(PathBuf::from)
            .or_else(|| Some(Path::new(&environment("HOME")?).join(".aws").join(name)))
    };
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    let config = file("AWS_CONFIG_FILE", "config");
    let section = match profile {
        "default" => "default".to_owned(),
        other => format!("profile {other}"),
    };
    let mut found = BTreeMap::new();
    let mut elsewhere = None;
    for (path, section) in [(credentials, profile.to_owned()), (config, section)] {
        let Some(ini) = path.and_then(|path| Ini::load_from_file(path).ok()) else {
            continue;
        };
        let Some(values) = ini.section(Some(section)) else {
            continue;
        };
        for key in [
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
        ] {
            if let Some(value) = values.get(key) {
                found
                    .entry(key.to_owned())
                    .or_insert_with(|| SecretString::from(value.to_owned()));
            }
        }
        if let Some(region) = values.get("region") {
            found
                .entry("aws_region".to_owned())
                .or_insert_with(|| SecretString::from(region.to_owned()));
        }
        for key in [
            "sso_session",
            "sso_start_url",
            "role_arn",
            "credential_process",
            "login_session",
        ] {
            if values.contains_key(key) {
                elsewhere = Some(key);
            }
        }
    }
    if found.contains_key("aws_access_key_id") {
        return Ok(found);
    }
    let hint = "eval \"$(aws configure export-credentials --format env)\" before the run, or unset AWS_PROFILE";
    Err(Refused {
        what: match elsewhere {
            Some(key) => {
                format!("the AWS profile {profile} gets its keys by {key}, which is not read here")
            }
            None => format!(
                "the AWS profile {profile} has no keys in ~/.aws/credentials or ~/.aws/config"
            ),
        },
        hint: hint.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn found(
        url: &str,
        options: &[(&str, &str)],
        variables: &[(&str, &str)],
    ) -> BTreeMap<String, String> {
        let options = options
            .iter()
            .map(|(k, v)| (k.to_string(), SecretString::from(*v)))
            .collect();
        let look = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_string())
        };
        let found = from_surroundings(url, &options, &look).expect("nothing is wrong");
        found
            .into_iter()
            .map(|(k, v)| (k, v.expose_secret().to_owned()))
            .collect()
    }

    #[test]
    fn the_environment_fills_what_the_job_leaves_open() {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "https://store.example.com"),
            ("AZURE_CLIENT_ID", "other"),
        ];
        let all = found("s3://bucket/lake", &[], &variables);
        assert_eq!(all.len(), 5);
        assert_eq!(all["aws_session_token"], "token");
        let own_key = found(
            "s3://bucket/lake",
            &[("access_key_id", "mine"), ("region", "x")],
            &variables,
        );
        assert_eq!(
            own_key.into_keys().collect::<Vec<_>>(),
            ["aws_endpoint_url"]
        );
        let own_place = found(
            "s3://bucket/lake",
            &[("endpoint", "https://other")],
            &variables,
        );
        assert!(
            !own_place.contains_key("aws_endpoint_url")
                && own_place.contains_key("aws_access_key_id")
        );
        assert!(found("./lake", &[], &variables).is_empty());
    }

    #[test]
    fn the_store_knows_every_variable_that_is_read() {
        for (url, names) in [
            ("s3://bucket/lake", [AWS, AWS_CREDENTIALS]),
            ("az://container/lake", [AZURE, AZURE_CREDENTIALS]),
            ("gs://bucket/lake", [&[], GOOGLE_CREDENTIALS]),
        ] {
            for name in names.into_iter().flatten() {
                let settings = pipeline::LakeSettings {
                    url: url.to_owned(),
                    options: [(name.to_ascii_lowercase(), SecretString::from("x"))].into(),
                };
                if let Err(error) = pipeline::catalog::Lake::open(&settings) {
                    assert!(!error.to_string().contains("is no option"), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_profile_gives_its_keys_or_says_why_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let aws = folder.path().join(".aws");
        std::fs::create_dir(&aws).expect("the folder is writable");
        let write = |name: &str, text: &str| {
            std::fs::write(aws.join(name), text).expect("the folder is writable")
        };
        write(
            "credentials",
            "[lake]\naws_access_key_id = key\naws_secret_access_key = secret\n",
        );
        write(
            "config",
            "[profile lake]\nregion = eu-west-1\n[profile sso]\nsso_session = corp\n",
        );
        let home = folder.path().display().to_string();
        let profile = |name: &str| {
            let look = |wanted: &str| match wanted {
                "HOME" => Some(home.clone()),
                "AWS_PROFILE" => Some(name.to_owned()),
                _ => None,
            };
            from_surroundings("s3://bucket/lake", &BTreeMap::new(), &look)
        };
        let found = profile("lake").expect("it has keys");
        assert_eq!(
            found.into_keys().collect::<Vec<_>>(),
            ["aws_access_key_id", "aws_region", "aws_secret_access_key"]
        );
        assert!(
            profile("sso")
                .expect_err("keys are elsewhere")
                .what
                .contains("sso_session")
        );
        assert!(
            profile("none")
                .expect_err("there is none")
                .what
                .contains("has no keys")
        );
    }
}
