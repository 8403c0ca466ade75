use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
    TableError, TableHandle,
};
use russet_core::{PartitionId, RecordKey, codec};
use russet_engine::Clock;

use super::disk::{self, Disk, RECORDS, guarded};
use super::error::{DiskError, OpenError};
use super::fullness::Fullness;
use super::medium::Medium;
use super::shared::{Partition, Shared};
use super::{EmbeddedOptions, export};
use crate::key;
use crate::lanes::Lanes;
use crate::limits::{HOT_BYTES, REBUILD_MOVES};

/// How the file is laid out.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// The layout of this version: the tables and their keys.
const LAYOUT: u64 = 1;
const LAYOUT_KEY: &str = "layout";
/// The newest format of the records; see [`codec::FORMAT`].
const FORMAT_KEY: &str = "format";
const PARTITIONS_KEY: &str = "partitions";
/// Of the other numbers.
const CHECKSUM_KEY: &str = "checksum";

/// What the file says about itself.
struct Header {
    layout: u64,
    format: u64,
    partitions: u64,
    checksum: u64,
}

impl Header {
    fn new(partitions: u16) -> Self {
        let mut header = Self {
            layout: LAYOUT,
            format: u64::from(codec::FORMAT),
            partitions: u64::from(partitions),
            checksum: 0,
        };
        header.checksum = header.computed();
        header
    }

    fn computed(&self) -> u64 {
        let numbers = [self.layout, self.format, self.partitions];
        let bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_be_bytes).collect();
        crc32fast::hash(&bytes).into()
    }
}

/// Opens the file, checks that it is ours, and builds the indexes from its records.
pub(crate) fn open(
    medium: Medium,
    options: EmbeddedOptions,
    clock: Arc<dyn Clock>,
) -> Result<Shared, OpenError> {
    let name = medium.name.clone();
    let _span = tracing::debug_span!("open", directory = %name.display()).entered();
    let damaged = |error: DiskError| OpenError::Damaged {
        directory: name.clone(),
        why: error.to_string(),
    };
    let disk = guarded(|| Ok(Disk::open(medium, options.cache_bytes))).map_err(damaged)?;
    let disk = disk.map_err(|error| refused(&name, error))?;
    let header = match disk.with(read_header).map_err(damaged)? {
        Some(header) => header,
        None => create(&disk, &name, options.partitions.unwrap_or(1))?,
    };
    let partitions = check(&name, &header, options)?;
    if let Some(to) = disk.with(export::moved_to).map_err(damaged)? {
        let directory = name.clone();
        return Err(OpenError::Moved { directory, to });
    }
    if disk.with(export::copy_begun).map_err(damaged)?.is_some() {
        disk.copy_is_begun();
    }
    let start = clock.now();
    let shared = Shared {
        disk,
        partitions: (0..partitions)
            .map(|_| Mutex::new(Partition::new(HOT_BYTES / usize::from(partitions))))
            .collect(),
        lanes: Lanes::new(clock.clone()),
        clock: clock.clone(),
        writer: Mutex::default(),
        uncertain: AtomicBool::new(false),
        fullness: Fullness::default(),
    };
    if shared.disk.went_back() {
        warn_that_it_went_back(&name);
    }
    let records = rebuild(&shared).map_err(damaged)?;
    raise_format(&shared.disk, header).map_err(damaged)?;
    let took = clock.now().since(start);
    tracing::info!(directory = %name.display(), partitions, records, %took, "opened the embedded store");
    Ok(shared)
}

fn warn_that_it_went_back(directory: &Path) {
    tracing::warn!(
        directory = %directory.display(),
        "the newest commit in the data file is not whole and was undone: it was cut short when \
         the process ended, and then it was never acknowledged, or it was damaged since; if \
         anything is missing, restore the directory from a backup",
    );
}

fn refused(directory: &Path, error: DatabaseError) -> OpenError {
    let directory = directory.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::Locked { directory }
        }
        DatabaseError::Storage(StorageError::Io(source))
            if !matches!(
                source.kind(),
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof
            ) =>
        {
            OpenError::Io { directory, source }
        }
        error => OpenError::Damaged {
            directory,
            why: error.to_string(),
        },
    }
}

/// `None` for a database without any table, that is, a new one.
fn read_header(database: &Database) -> Result<Option<Header>, DiskError> {
    let transaction = database.begin_read()?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => {
            let tables: HashSet<String> = transaction
                .list_tables()?
                .map(|table| table.name().to_owned())
                .collect();
            return match tables.is_empty() {
                true => Ok(None),
                false => Err(DiskError::Damaged(
                    "it is a database of something else".into(),
                )),
            };
        }
        Err(error) => return Err(error.into()),
    };
    let number = |key: &str| match meta.get(key)? {
        Some(number) => Ok(number.value()),
        None => Err(DiskError::Damaged(format!("its header has no {key}"))),
    };
    Ok(Some(Header {
        layout: number(LAYOUT_KEY)?,
        format: number(FORMAT_KEY)?,
        partitions: number(PARTITIONS_KEY)?,
        checksum: number(CHECKSUM_KEY)?,
    }))
}

/// Writes the header of a new file.
fn create(disk: &Disk, directory: &Path, partitions: u16) -> Result<Header, OpenError> {
    let header = Header::new(partitions.max(1));
    let written = disk.with(|database| write_header(database, &header));
    written.map_err(|error| OpenError::Io {
        directory: directory.to_owned(),
        source: std::io::Error::other(error),
    })?;
    disk.medium().sync_names().map_err(|source| OpenError::Io {
        directory: directory.to_owned(),
        source,
    })?;
    Ok(header)
}

/// From now on records of this version's format may stand in the file: an older version, which
/// could not read them, is to refuse the file as a whole.
fn raise_format(disk: &Disk, mut header: Header) -> Result<(), DiskError> {
    if header.format >= u64::from(codec::FORMAT) {
        return Ok(());
    }
    header.format = u64::from(codec::FORMAT);
    header.checksum = header.computed();
    disk.with(|database| write_header(database, &header))
}

fn write_header(database: &Database, header: &Header) -> Result<(), DiskError> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(LAYOUT_KEY, header.layout)?;
        meta.insert(FORMAT_KEY, header.format)?;
        meta.insert(PARTITIONS_KEY, header.partitions)?;
        meta.insert(CHECKSUM_KEY, header.checksum)?;
        transaction.open_table(RECORDS)?;
    }
    Ok(transaction.commit()?)
}

/// Whether this version can work with the file; how many partitions it has.
fn check(directory: &Path, header: &Header, options: EmbeddedOptions) -> Result<u16, OpenError> {
    let directory = directory.to_owned();
    let newest = u64::from(codec::FORMAT);
    for (found, known) in [(header.layout, LAYOUT), (header.format, newest)] {
        if found > known {
            return Err(OpenError::Newer {
                directory,
                found,
                known,
            });
        }
    }
    if header.checksum != header.computed() {
        return Err(OpenError::Damaged {
            directory,
            why: "the checksum of its header is wrong".into(),
        });
    }
    let found = header.partitions;
    match (u16::try_from(found), options.partitions) {
        (Ok(partitions), asked) if asked.is_none_or(|asked| asked == partitions) => Ok(partitions),
        (Ok(_), Some(asked)) => Err(OpenError::Partitions {
            directory,
            found,
            asked,
        }),
        _ => Err(OpenError::Damaged {
            directory,
            why: format!("its header names {found} partitions"),
        }),
    }
}

/// Reads and verifies all records once and enters those that have index entries. How many
/// there are.
fn rebuild(shared: &Shared) -> Result<u64, DiskError> {
    let mut count = 0;
    let mut moves = Vec::new();
    shared.disk.read(|table| {
        for entry in table.iter()? {
            let (place, value) = entry?;
            let place = place.value();
            count += 1;
            let Some((id, key)) = key::read(place) else {
                return Err(DiskError::Damaged(format!("{place:02x?} is not a key")));
            };
            if !matches!(
                key,
                RecordKey::Task(_)
                    | RecordKey::Outbox(_)
                    | RecordKey::Queue(_)
                    | RecordKey::Workflow(_)
            ) {
                disk::verify(place, value.value())?;
                continue;
            }
            let record = disk::decode(place, value.value())?.record;
            let Some(mut partition) = shared.partition(id) else {
                let PartitionId(id) = id;
                return Err(DiskError::Damaged(format!("a record of partition {id}")));
            };
            moves.extend(partition.index.replace(&key, None, Some(&record)));
            if let RecordKey::Task(id) = key {
                partition.newest = partition.newest.max(id);
            }
            if moves.len() >= REBUILD_MOVES {
                shared.lanes.apply(std::mem::take(&mut moves));
            }
        }
        Ok(())
    })?;
    shared.lanes.apply(moves);
    Ok(count)
}
