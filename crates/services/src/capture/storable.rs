//! Payloads that can be kept: to bytes and back.

use crate::circuits::Trouble;

/// A payload that can be kept in a letter: it has a form in bytes, which reads back the same.
///
/// Bytes and texts are kept as they are, and `()` as nothing. With the feature `json`, `Json` keeps whatever serde can
/// write and read. For a format of your own:
///
/// ```
/// use fuseboard_services::capture::Storable;
/// use fuseboard_services::circuits::Trouble;
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct Order(u32);
///
/// impl Storable for Order {
///     fn to_bytes(&self) -> Result<Vec<u8>, Trouble> {
///         Ok(self.0.to_be_bytes().to_vec())
///     }
///
///     fn from_bytes(bytes: &[u8]) -> Result<Self, Trouble> {
///         Ok(Order(u32::from_be_bytes(bytes.try_into()?)))
///     }
/// }
/// assert_eq!(Order::from_bytes(&Order(42).to_bytes()?)?, Order(42));
/// # Ok::<(), Trouble>(())
/// ```
pub trait Storable: Sized {
    /// The media type of its bytes.
    fn content_type() -> Option<&'static str> {
        None
    }

    /// Its bytes, which are kept as they are. Asked only when a call was not done.
    ///
    /// # Errors
    ///
    /// It cannot be written: the call is not queued.
    fn to_bytes(&self) -> Result<Vec<u8>, Trouble>;

    /// The payload that these bytes are.
    ///
    /// # Errors
    ///
    /// It cannot be read, perhaps because its type has changed since: the letter then waits for a person.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Trouble>;
}

impl Storable for () {
    fn to_bytes(&self) -> Result<Vec<u8>, Trouble> {
        Ok(Vec::new())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Trouble> {
        match bytes {
            [] => Ok(()),
            _ => Err(format!("expected no bytes, found {}", bytes.len()).into()),
        }
    }
}

impl Storable for Vec<u8> {
    fn to_bytes(&self) -> Result<Vec<u8>, Trouble> {
        Ok(self.clone())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Trouble> {
        Ok(bytes.to_vec())
    }
}

impl Storable for String {
    fn content_type() -> Option<&'static str> {
        Some("text/plain; charset=utf-8")
    }

    fn to_bytes(&self) -> Result<Vec<u8>, Trouble> {
        Ok(self.clone().into_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Trouble> {
        Ok(String::from_utf8(bytes.to_vec())?)
    }
}

/// A payload that is kept as JSON.
///
/// ```
/// use fuseboard_services::capture::{Json, Storable};
///
/// let order = Json(vec![("apples".to_owned(), 3)]);
/// assert_eq!(order.to_bytes()?, br#"[["apples",3]]"#);
/// assert_eq!(Json::from_bytes(br#"[["apples",3]]"#)?, order);
/// # Ok::<(), fuseboard_services::circuits::Trouble>(())
/// ```
#[cfg(feature = "json")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

#[cfg(feature = "json")]
impl<T: serde::Serialize + serde::de::DeserializeOwned> Storable for Json<T> {
    fn content_type() -> Option<&'static str> {
        Some("application/json")
    }

    fn to_bytes(&self) -> Result<Vec<u8>, Trouble> {
        Ok(serde_json::to_vec(&self.0)?)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Trouble> {
        Ok(Json(serde_json::from_slice(bytes)?))
    }
}
