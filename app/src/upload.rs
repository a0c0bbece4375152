//! A form that carries a file.

use std::collections::BTreeMap;

use server_fn::codec::MultipartData;

use crate::error::AppError;

/// What a browser sent: the file in the field `file`, and the other fields by name.
#[derive(Debug, Default)]
pub struct Upload {
    pub file_name: String,
    pub bytes: Vec<u8>,
    fields: BTreeMap<String, String>,
}

impl Upload {
    /// Reads it all. `None` when the form broke off on its way.
    pub async fn read(data: MultipartData) -> Result<Option<Self>, AppError> {
        let mut parts = data.into_inner().ok_or(AppError::Fault)?;
        let mut upload = Self::default();
        loop {
            let field = match parts.next_field().await {
                Ok(Some(field)) => field,
                Ok(None) => return Ok(Some(upload)),
                Err(_) => return Ok(None),
            };
            let name = field.name().unwrap_or_default().to_owned();
            let file = field.file_name().map(str::to_owned);
            let Ok(content) = field.bytes().await else { return Ok(None) };
            if name == "file" {
                upload.file_name = file.unwrap_or_default();
                upload.bytes = content.to_vec();
            } else {
                // No text has one, and none of ours can keep it.
                let text = String::from_utf8_lossy(&content).replace('\0', "\u{fffd}");
                upload.fields.insert(name, text);
            }
        }
    }

    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map(String::as_str).unwrap_or_default()
    }
}
