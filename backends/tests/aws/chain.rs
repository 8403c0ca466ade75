//! Region and credentials come from the standard chain when the options do not say them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use russet_backends::aws::AwsOptions;
use russet_backends::dynamodb::{Dynamo, DynamoOptions};
use russet_engine::SystemClock;
use russet_servers::{ACCESS_KEY, Ministack};

use crate::servers::SECRET;

/// Set in the process that opens a table; the value is the profile.
const CHILD: &str = "RUSSET_TEST_PROFILE";
const URL: &str = "RUSSET_TEST_URL";
const THIS: &str = "chain::region_and_credentials_come_from_the_standard_chain";

const CONFIG: &str = "[profile mine]\nregion = eu-central-1\n[profile nowhere]\n";

#[tokio::test]
async fn region_and_credentials_come_from_the_standard_chain() {
    if let Ok(profile) = std::env::var(CHILD) {
        return open(profile).await;
    }
    let server = Ministack::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let credentials =
        format!("[mine]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET}\n");
    std::fs::write(folder.path().join("config"), CONFIG).expect("it is written");
    std::fs::write(folder.path().join("credentials"), credentials).expect("it is written");
    let keys = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let region = ("AWS_REGION", "eu-central-1");
    let child = |profile: &str, variables: &[(&str, &str)]| {
        said_by_child(&server.url(), folder.path(), profile, variables)
    };
    assert_eq!(child("", &[keys[0], keys[1], region]), "opened");
    assert_eq!(child("mine", &[]), "opened");
    let said = child("", &keys);
    assert!(
        said.contains("no region is configured: set region"),
        "{said}"
    );
    let said = child("", &[region]);
    assert!(said.contains("there are no credentials"), "{said}");
    assert!(said.contains("AWS_ACCESS_KEY_ID"), "{said}");
    let said = child("unknown", &[region]);
    assert!(said.contains("there are no credentials"), "{said}");
}

/// What a process says that has these variables and no others.
fn said_by_child(url: &str, home: &Path, profile: &str, variables: &[(&str, &str)]) -> String {
    let this = std::env::current_exe().expect("this test");
    let output = Command::new(this)
        .args(["--exact", THIS, "--nocapture"])
        .env_clear()
        .env("HOME", home)
        .env("AWS_CONFIG_FILE", home.join("config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", home.join("credentials"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env(URL, url)
        .env(CHILD, profile)
        .envs(variables.iter().copied())
        .output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, said) = said.split_once("said: ").expect("it says something");
    said.lines().next().unwrap_or_default().to_owned()
}

async fn open(profile: String) {
    let options = DynamoOptions {
        table: "russet".into(),
        aws: AwsOptions {
            endpoint_url: std::env::var(URL).ok(),
            profile: Some(profile).filter(|profile| !profile.is_empty()),
            ..AwsOptions::default()
        },
        ..DynamoOptions::default()
    };
    let clock = Arc::new(SystemClock);
    let opened = match Dynamo::create_table(&options, clock.clone()).await {
        Ok(()) => Dynamo::open(options, clock).await.map(drop),
        Err(error) => Err(error),
    };
    match opened {
        Ok(()) => println!("said: opened"),
        Err(error) => println!("said: {error}"),
    }
}
