use std::sync::Arc;
use std::time::Duration;

use russet_backends::aws::{AwsOptions, Credentials, OpenError, Seams, SharedCredentialsProvider};
use russet_backends::dynamodb::{Dynamo, DynamoOptions};
use russet_backends::sqs::{Sqs, SqsOptions};
use russet_engine::{Clock, Entropy, Queue};
use tokio::time::sleep;

use super::carrier::{self, Carry};
use super::heard::Heard;
use super::services::Services;
use crate::history::Actor;
use crate::plan::Random;
use crate::world::net::Net;
use crate::world::time::NodeClock;

/// The pause before a node that could not open its store starts again.
const RESTART: Duration = Duration::from_millis(500);

/// How a service is reached.
fn reached(name: &str, carry: Carry, entropy: Arc<dyn Entropy>) -> AwsOptions {
    let credentials = Credentials::new("simulated", "simulated", None, None, "simulator");
    AwsOptions {
        region: Some("eu-central-1".to_owned()),
        endpoint_url: Some(format!("http://{name}")),
        profile: None,
        seams: Seams {
            http_client: Some(carrier::http(carry)),
            credentials: Some(SharedCredentialsProvider::new(credentials)),
            entropy: Some(entropy),
        },
    }
}

fn table(partitions: u16, aws: AwsOptions) -> DynamoOptions {
    DynamoOptions {
        partitions: Some(partitions),
        aws,
        ..DynamoOptions::default()
    }
}

/// Opens the store of a node, however long it is away.
pub async fn open_store(
    net: &Net,
    node: Actor,
    partitions: u16,
    clock: Arc<NodeClock>,
    random: Random,
) -> Arc<Dynamo> {
    let entropy: Arc<dyn Entropy> = Arc::new(random);
    loop {
        let carry = carrier::over(net, node, Actor::Store);
        let options = table(partitions, reached("store", carry, entropy.clone()));
        match Dynamo::open(options, clock.clone()).await {
            Ok(store) => return store,
            Err(_) => sleep(RESTART).await,
        }
    }
}

/// Opens the queue of a node, however long it is away.
pub async fn open_queue(
    net: &Net,
    node: Actor,
    services: &Services,
    clock: Arc<NodeClock>,
    random: Random,
) -> Arc<dyn Queue> {
    let entropy: Arc<dyn Entropy> = Arc::new(random);
    loop {
        let carry = carrier::over(net, node, Actor::Queue);
        let options = SqsOptions {
            create: true,
            aws: reached("queue", carry, entropy.clone()),
            ..SqsOptions::default()
        };
        match Sqs::open(options, clock.clone()).await {
            Ok(queue) => return Heard::new(queue, services.clone(), node),
            Err(_) => sleep(RESTART).await,
        }
    }
}

impl Services {
    /// Makes the table, unless it is there.
    ///
    /// # Errors
    /// What was refused.
    pub async fn prepare(&self, partitions: u16) -> Result<(), OpenError> {
        let clock: Arc<dyn Clock> = Arc::new(NodeClock::right());
        let entropy = Arc::new(Random::new(0, 0));
        let carry = carrier::directly(self.clone());
        let options = table(partitions, reached("store", carry, entropy));
        Dynamo::create_table(&options, clock).await
    }

    /// Looks at everything that the adapter says of a copy of what the store holds now.
    ///
    /// # Errors
    /// A store that does not open.
    pub async fn look(&self, partitions: u16) -> Result<(), OpenError> {
        let sights = self.account().ledger().sights();
        let copy = self.copy();
        let clock = Arc::new(NodeClock::right());
        let entropy = Arc::new(Random::new(0, 0));
        let aws = reached("store", carrier::directly(copy), entropy);
        let store = Dynamo::open(table(partitions, aws), clock).await?;
        let looked = self.account().ledger().look(sights, store.as_ref(), None);
        if let Err(error) = looked.await {
            panic!("a copy of the store cannot be read: {error}");
        }
        Ok(())
    }
}
