//! The model of SQS beside a server that speaks as SQS: the same requests, the same answers.
//!
//! Left out is what the server does otherwise than SQS: it accepts receipt handles that are none,
//! or those of other queues, delays of more than 900 seconds and empty messages; after a message
//! was released, the handle that did it deletes nothing any more; its lists of queues have no
//! further pages. Of failed entries of `ChangeMessageVisibilityBatch` the code is not compared.

mod ask;
mod conditions;
mod model;
mod pair;
mod same;
