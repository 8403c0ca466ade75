use super::error::Error;

pub(crate) type Json = serde_json::Value;
pub(crate) type Map = serde_json::Map<String, Json>;

/// The fields of an object. Each is taken once; those that nobody takes are unknown.
#[derive(Default)]
pub(crate) struct Fields(Map);

impl Fields {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Error> {
        match serde_json::from_slice(body) {
            Ok(Json::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(wrong("the body is not an object")),
            Err(error) => Err(wrong(&format!("the body is not JSON: {error}"))),
        }
    }

    pub(crate) fn of(name: &str, json: Json) -> Result<Self, Error> {
        match json {
            Json::Object(map) => Ok(Self(map)),
            _ => Err(wrong(&format!("{name} is not an object"))),
        }
    }

    pub(crate) fn any(&mut self, name: &str) -> Option<Json> {
        self.0.remove(name).filter(|json| !json.is_null())
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.any(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(&format!("{name} is not a string"))),
        }
    }

    pub(crate) fn whole(&mut self, name: &str) -> Result<Option<i64>, Error> {
        match self.any(name) {
            None => Ok(None),
            Some(json) => json
                .as_i64()
                .map(Some)
                .ok_or_else(|| wrong(&format!("{name} is not an integer"))),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Error> {
        match self.any(name) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(wrong(&format!("{name} is neither true nor false"))),
        }
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Json>>, Error> {
        match self.any(name) {
            None => Ok(None),
            Some(Json::Array(items)) => Ok(Some(items)),
            Some(_) => Err(wrong(&format!("{name} is not a list"))),
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Map>, Error> {
        match self.any(name) {
            None => Ok(None),
            Some(Json::Object(map)) => Ok(Some(map)),
            Some(_) => Err(wrong(&format!("{name} is not an object"))),
        }
    }

    /// The fields of another object in this one.
    pub(crate) fn fields(&mut self, name: &str) -> Result<Option<Self>, Error> {
        Ok(self.object(name)?.map(Self))
    }

    /// A list of strings.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Error> {
        let Some(items) = self.list(name)? else {
            return Ok(None);
        };
        let texts = items.into_iter().map(|item| match item {
            Json::String(text) => Ok(text),
            _ => Err(wrong(&format!("{name} holds what is not a string"))),
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// All of them have been taken.
    pub(crate) fn end(self) -> Result<(), Error> {
        match self.0.iter().find(|(_, json)| !json.is_null()) {
            Some((name, _)) => Err(Error::unknown(format!("the parameter {name}"))),
            None => Ok(()),
        }
    }
}

fn wrong(message: &str) -> Error {
    Error::new("SerializationException", message)
}
