//! The tables and queues of a template, in memory or in the folder for the state.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{File, TryLockError};
use std::path::Path;

use dynoxide::Database;
use local_sqs::Sqs;
use serde_json::{Value, json};

use crate::StackError;
use crate::deployment::{Deployment, Table};

/// Locks the folder for this process. The lock ends with the process, however that ends.
pub(crate) fn lock(folder: &Path) -> Result<File, StackError> {
    let unusable = |source| StackError::State { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(unusable)?;
    let file = File::create(folder.join("lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StackError::StateInUse { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// The database with every table of the template.
pub(crate) fn tables(
    deployment: &Deployment,
    folder: Option<&Path>,
) -> Result<Database, StackError> {
    let database = match folder {
        Some(folder) => Database::new(&folder.join("dynamodb.db").to_string_lossy()),
        None => Database::memory(),
    };
    let database = database.map_err(|error| StackError::Tables { source: error.into() })?;
    for table in deployment.tables.values() {
        let failed = |source| StackError::Table { table: table.name.clone(), source };
        match kept_key(&database, table).map_err(failed)? {
            None => create(&database, table).map_err(failed)?,
            Some(key) if table.create_table.get("KeySchema") == Some(&key) => {}
            Some(_) => {
                let path = folder.unwrap_or(Path::new("")).to_owned();
                return Err(StackError::OtherKey { table: table.name.clone(), path });
            }
        }
    }
    Ok(database)
}

/// The service with every queue of the template.
pub(crate) fn queues(deployment: &Deployment, folder: Option<&Path>) -> Result<Sqs, StackError> {
    let sqs = match folder {
        Some(folder) => Sqs::open(folder.join("sqs.journal"))
            .map_err(|error| StackError::Queues { source: error })?,
        None => Sqs::memory(),
    };
    // First all of them, then what they are like: a redrive policy names a queue that must exist.
    for queue in deployment.queues.values() {
        let failed = |source| StackError::Queue { queue: queue.name.clone(), source };
        sqs.create_queue(&queue.name, BTreeMap::new()).map_err(failed)?;
    }
    for queue in deployment.queues.values() {
        let failed = |source| StackError::Queue { queue: queue.name.clone(), source };
        let defaults = QUEUE_DEFAULTS.iter();
        let mut attributes = defaults
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>();
        attributes.extend(queue.attributes.clone());
        sqs.set_queue_attributes(&queue.name, attributes).map_err(failed)?;
    }
    Ok(sqs)
}

/// What an attribute is that the template does not give: "SetQueueAttributes" in the Amazon SQS API
/// Reference. Without these a queue that was kept would keep what the template does not say any
/// more.
const QUEUE_DEFAULTS: &[(&str, &str)] = &[
    ("DelaySeconds", "0"),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedriveAllowPolicy", ""),
    ("RedrivePolicy", ""),
    ("SqsManagedSseEnabled", "true"),
    ("VisibilityTimeout", "30"),
];

type Source = Box<dyn Error + Send + Sync>;

/// The key schema of a table that is there already.
fn kept_key(database: &Database, table: &Table) -> Result<Option<Value>, Source> {
    let Some(kept) = database.get_table_metadata(&table.name)? else {
        return Ok(None);
    };
    Ok(Some(serde_json::from_str(&kept.key_schema)?))
}

fn create(database: &Database, table: &Table) -> Result<(), Source> {
    database.create_table(serde_json::from_value(table.create_table.clone())?)?;
    if let Some(time_to_live) = &table.time_to_live {
        database.update_time_to_live(serde_json::from_value(json!({
            "TableName": table.name,
            "TimeToLiveSpecification": time_to_live,
        }))?)?;
    }
    Ok(())
}
