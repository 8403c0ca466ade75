//! Settings from the environment and from flags, laid over those of a file.

use russet_backends::config::mistake;

use super::{Config, ConfigError};

/// The tables of a configuration.
const TABLES: [&str; 7] = [
    "server", "store", "queue", "redis", "aws", "dynamodb", "sqs",
];

/// One setting that does not stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where it was found, as its user knows it.
    origin: String,
    table: String,
    key: String,
    value: String,
}

impl Setting {
    /// `store.backend=memory`, as a flag says it.
    ///
    /// # Errors
    /// A text of another form.
    pub fn from_flag(text: &str) -> Result<Self, ConfigError> {
        let parts = text.split_once('=').and_then(|(name, value)| {
            let (table, key) = name.split_once('.')?;
            Some((table.trim(), key.trim(), value))
        });
        let Some((table, key, value)) = parts else {
            // What follows may be a secret.
            let name = text
                .split('=')
                .next()
                .filter(|name| name.len() < text.len());
            let problem = match name {
                Some(name) => format!("{name:?} names no setting"),
                None => "there is no value".to_owned(),
            };
            let remedy = "write TABLE.KEY=VALUE, such as store.backend=memory";
            return Err(ConfigError::setting("--set", problem, remedy));
        };
        let setting = |name: &str| format!("--set {name}");
        if !TABLES.contains(&table) {
            let problem = format!("there is no table {table:?}");
            let remedy = format!("the tables are {}", TABLES.join(", "));
            return Err(ConfigError::setting(&setting(table), problem, &remedy));
        }
        Ok(Self {
            origin: setting(&format!("{table}.{key}")),
            table: table.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }

    /// `RUSSET_STORE_BACKEND`: every variable that is named after a table and a key.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Vec<Self> {
        let settings = variables.into_iter().filter_map(|(name, value)| {
            let of = name.strip_prefix("RUSSET_")?.to_ascii_lowercase();
            let (table, key) = of.split_once('_')?;
            TABLES.contains(&table).then(|| Self {
                origin: name.clone(),
                table: table.to_owned(),
                key: key.to_owned(),
                value,
            })
        });
        let mut settings: Vec<_> = settings.collect();
        settings.sort_by(|a, b| a.origin.cmp(&b.origin));
        settings
    }

    /// The table that it is in.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Puts the setting into `file`: as the number, truth value or list that it looks like, if
    /// one can stand there, and as a text otherwise.
    ///
    /// # Errors
    /// A key that does not exist, or a value that cannot stand there.
    pub(super) fn lay_over(&self, file: &mut toml::Table) -> Result<(), ConfigError> {
        let text = toml::Value::String(self.value.clone());
        let looks = format!("value = {}", self.value).parse::<toml::Table>();
        let looks = looks.ok().and_then(|mut table| table.remove("value"));
        let mut refused = None;
        for value in looks.into_iter().chain([text]) {
            let mut with = file.clone();
            let table = with.entry(&self.table);
            let table = table.or_insert_with(|| toml::Table::new().into());
            if let Some(table) = table.as_table_mut() {
                table.insert(self.key.clone(), value);
            }
            match with.clone().try_into::<Config>() {
                Ok(_) => {
                    *file = with;
                    return Ok(());
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let problem = refused.map_or_else(String::new, |error| mistake(&error, None));
        let remedy = "`russet config init` writes a file that names every setting";
        Err(ConfigError::setting(&self.origin, problem, remedy))
    }
}
