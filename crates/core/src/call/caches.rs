//! What a pipeline keeps for the next call: assets sorted out, actions parsed, schemas compiled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use line_connector_catalog::definition::{Action, Manifest};
use line_connector_http::Secret;
use serde_json::Value;

use super::action::ResolvedAction;
use crate::asset::{Asset, Operator};
use crate::catalog::Catalog;
use crate::documents::AssetParameters;
use crate::error::Error;
use crate::redact::Redactor;
use crate::schema::Schema;

/// How many assets are kept, and of how many tokens something.
const MAX_ASSETS: usize = 64;

#[derive(Default)]
pub(super) struct Caches {
    assets: RwLock<Assets>,
    actions: Mutex<HashMap<String, Arc<ResolvedAction>>>,
    schemas: Mutex<HashMap<String, Arc<Schema>>>,
    /// The channels of tokens that came alone.
    channels: Mutex<HashMap<Secret, String>>,
    /// What finds tokens in outputs.
    redactors: RwLock<HashMap<Secret, Redactor>>,
}

/// The operator's parameters, and the assets that became of them.
#[derive(Default)]
struct Assets {
    operator: Arc<Operator>,
    sorted_out: Vec<(AssetParameters, Arc<Asset>)>,
}

impl Caches {
    /// Nothing yet, beside the operator's parameters.
    pub(super) fn new(operator: Operator) -> Self {
        let caches = Self::default();
        caches.set_operator(operator);
        caches
    }

    /// From the next call on these are the operator's parameters.
    pub(super) fn set_operator(&self, operator: Operator) {
        let mut assets = self.assets.write().unwrap_or_else(PoisonError::into_inner);
        *assets = Assets {
            operator: Arc::new(operator),
            sorted_out: Vec::new(),
        };
    }

    /// The asset that these parameters describe.
    pub(super) fn asset(
        &self,
        manifest: &Manifest,
        parameters: &AssetParameters,
    ) -> Result<Arc<Asset>, Error> {
        let assets = self.assets.read().unwrap_or_else(PoisonError::into_inner);
        let mut known = assets.sorted_out.iter();
        if let Some((_, asset)) = known.find(|(known, _)| known == parameters) {
            return Ok(Arc::clone(asset));
        }
        let operator = Arc::clone(&assets.operator);
        drop(assets);
        let asset = Arc::new(Asset::resolve(manifest, parameters, &operator)?);
        let mut assets = self.assets.write().unwrap_or_else(PoisonError::into_inner);
        // The operator's parameters may have changed meanwhile.
        if Arc::ptr_eq(&assets.operator, &operator) {
            if assets.sorted_out.len() >= MAX_ASSETS {
                assets.sorted_out.clear();
            }
            let sorted_out = (parameters.clone(), Arc::clone(&asset));
            assets.sorted_out.push(sorted_out);
        }
        Ok(asset)
    }

    /// An action of the catalog.
    pub(super) fn action(&self, catalog: &Catalog, name: &str) -> Option<Arc<ResolvedAction>> {
        let name = catalog.full_name(name)?;
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(action) = actions.get(name) {
            return Some(Arc::clone(action));
        }
        let action = Arc::new(ResolvedAction::new(catalog, catalog.action(name)?));
        actions.insert(name.to_owned(), Arc::clone(&action));
        Some(action)
    }

    /// The channel of a token, which is asked for where it is not known.
    pub(super) fn channel(
        &self,
        token: &Secret,
        ask: impl FnOnce() -> Option<String>,
    ) -> Option<String> {
        let channels = || self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels().get(token) {
            return Some(channel.clone());
        }
        let channel = ask()?;
        let mut channels = channels();
        if channels.len() >= MAX_ASSETS {
            channels.clear();
        }
        channels.insert(token.clone(), channel.clone());
        Some(channel)
    }

    /// What finds a token in outputs.
    pub(super) fn redactor(&self, token: &Secret) -> Redactor {
        let redactors = self
            .redactors
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(redactor) = redactors.get(token) {
            return redactor.clone();
        }
        drop(redactors);
        let redactor = Redactor::new([token]);
        let mut redactors = self
            .redactors
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if redactors.len() >= MAX_ASSETS {
            redactors.clear();
        }
        redactors.insert(token.clone(), redactor.clone());
        redactor
    }

    /// The compiled schema of an action's inputs.
    pub(super) fn schema(&self, catalog: &Catalog, action: &Action) -> Arc<Schema> {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = schemas.get(&action.name) {
            return Arc::clone(schema);
        }
        let inputs = Value::Object(action.inputs.clone());
        let shared = catalog.schemas().clone();
        let schema = Arc::new(Schema::new(&inputs, move |path| shared.get(path)));
        schemas.insert(action.name.clone(), Arc::clone(&schema));
        schema
    }
}
