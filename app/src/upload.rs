//! A form that carries a file.

use std::collections::BTreeMap;

use server_fn::codec::MultipartData;

use crate::{context::Ctx, error::AppError};

/// What a browser sent: the file in the field `file`, and the other fields by name.
#[derive(Debug, Default)]
pub struct Upload {
    pub file_name: String,
    bytes: Vec<u8>,
    fields: BTreeMap<String, String>,
    /// The form broke off on its way.
    is_torn: bool,
}

impl Upload {
    pub async fn read(data: MultipartData) -> Result<Self, AppError> {
        let mut parts = data.into_inner().ok_or(AppError::Fault)?;
        let mut upload = Self::default();
        loop {
            let field = match parts.next_field().await {
                Ok(Some(field)) => field,
                Ok(None) => return Ok(upload),
                Err(_) => return Ok(Self { is_torn: true, ..upload }),
            };
            let name = field.name().unwrap_or_default().to_owned();
            let file = field.file_name().map(str::to_owned);
            let Ok(content) = field.bytes().await else { return Ok(Self { is_torn: true, ..upload }) };
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

    /// The file, when all of the form is here.
    pub fn file(&self, ctx: &Ctx) -> Result<&[u8], AppError> {
        match self.is_torn {
            true => Err(AppError::field("file", ctx.t("batch-error-upload"))),
            false => Ok(&self.bytes),
        }
    }

    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map(String::as_str).unwrap_or_default()
    }
}
