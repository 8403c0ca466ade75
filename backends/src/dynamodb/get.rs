//! Records by their keys, as they were written last.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::stream::{self, StreamExt, TryStreamExt};
use russet_core::{PartitionId, RecordKey, planted};
use russet_engine::{StoreError, Versioned};

use super::item::{self, Item, KEY};
use super::{Dynamo, fail};
use crate::aws::Fault;
use crate::key;
use crate::limits::{DYNAMO_READS_AT_ONCE, DYNAMO_READS_PER_CALL, DYNAMO_TRIES};

impl Dynamo {
    pub(super) async fn load(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned>>, StoreError> {
        let places = keys.iter().map(|key| key::place(partition, key));
        let places: Vec<Vec<u8>> = places.collect();
        let items = self.items(&places, None).await?;
        let record = |(key, place): (&RecordKey, &Vec<u8>)| {
            let item = items.get(place);
            let record = item.map(|item| item::read(place, item)).transpose();
            record.map_err(|why| fail::unreadable(partition, key, &why))
        };
        keys.iter().zip(&places).map(record).collect()
    }

    /// The items under these keys, or only some `attributes` of each.
    pub(super) async fn items(
        &self,
        places: &[Vec<u8>],
        attributes: Option<&'static str>,
    ) -> Result<BTreeMap<Vec<u8>, Item>, StoreError> {
        if let ([place], None) = (places, attributes) {
            let item = self.item(place).await?;
            let item = item.map(|item| (place.clone(), item));
            return Ok(item.into_iter().collect());
        }
        let unique: BTreeSet<&Vec<u8>> = places.iter().collect();
        let unique: Vec<Vec<u8>> = unique.into_iter().cloned().collect();
        let chunks = unique.chunks(DYNAMO_READS_PER_CALL).map(<[_]>::to_vec);
        let chunks: Vec<Vec<Vec<u8>>> = chunks.collect();
        stream::iter(chunks)
            .map(|chunk| self.batch(chunk, attributes))
            .buffered(DYNAMO_READS_AT_ONCE)
            .try_fold(BTreeMap::new(), async |mut all, some| {
                all.extend(some);
                Ok(all)
            })
            .await
    }

    async fn item(&self, place: &[u8]) -> Result<Option<Item>, StoreError> {
        let ask = || {
            let request = self.client.get_item().table_name(&self.table);
            let request = request.key(KEY, item::bytes(place)).consistent_read(true);
            request
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
        };
        let found = self.again(ask).await.map_err(|f| fail::reading(&f))?;
        self.meter.read_units(found.consumed_capacity.as_slice());
        Ok(found.item)
    }

    /// Reads up to [`DYNAMO_READS_PER_CALL`] items; those that were left out for want of
    /// capacity or of room in the reply are asked for again.
    async fn batch(
        &self,
        places: Vec<Vec<u8>>,
        attributes: Option<&'static str>,
    ) -> Result<Vec<(Vec<u8>, Item)>, StoreError> {
        let keys = places.into_iter().map(item::only_key);
        let mut keys: Vec<Item> = keys.collect();
        let mut found = Vec::with_capacity(keys.len());
        let mut tries = 0;
        while !keys.is_empty() {
            let asked = keys.len();
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true)
                .set_projection_expression(attributes.map(str::to_owned))
                .build()
                .map_err(|error| fail::unavailable(error.to_string()))?;
            let ask = || {
                let request = self.client.batch_get_item();
                request
                    .request_items(&self.table, wanted.clone())
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send()
            };
            let reply = self.again(ask).await.map_err(|f| fail::reading(&f))?;
            self.meter.read_units(reply.consumed_capacity());
            let items = reply.responses.into_iter().flat_map(HashMap::into_values);
            for item in items.flatten() {
                let place = item::bytes_of(&item, KEY).unwrap_or_default();
                found.push((place.to_vec(), item));
            }
            let rest = reply.unprocessed_keys.into_iter();
            let rest = rest.flat_map(HashMap::into_values);
            keys = rest.flat_map(|rest| rest.keys).collect();
            if planted!(DynamoUnprocessedAbsent) {
                return Ok(found);
            }
            if keys.len() < asked {
                tries = 0;
            }
            if !keys.is_empty() {
                tries += 1;
                if tries >= DYNAMO_TRIES {
                    return Err(fail::unavailable("DynamoDB has no capacity for reads"));
                }
                self.pauses.after(tries).await;
            }
        }
        Ok(found)
    }

    /// Tries what can be repeated again, while the service has no capacity or does not answer.
    pub(super) async fn again<T, E, F>(&self, ask: impl Fn() -> F) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let counted = || {
            self.meter.called();
            ask()
        };
        self.pauses.again(DYNAMO_TRIES, counted).await
    }
}
