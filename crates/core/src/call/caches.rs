//! What a pipeline keeps for the next call: assets sorted out, actions parsed, schemas compiled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use line_connector_catalog::definition::{Action, Manifest};
use serde_json::{Map, Value};

use super::action::ResolvedAction;
use crate::asset::Asset;
use crate::catalog::Catalog;
use crate::documents::AssetParameters;
use crate::error::Error;
use crate::schema::Schema;

/// How many assets are kept.
const MAX_ASSETS: usize = 64;

#[derive(Default)]
pub(super) struct Caches {
    assets: RwLock<Vec<(AssetParameters, Arc<Asset>)>>,
    actions: Mutex<HashMap<String, Arc<ResolvedAction>>>,
    schemas: Mutex<HashMap<String, Arc<Schema>>>,
}

impl Caches {
    /// The asset that these parameters describe.
    pub(super) fn asset(
        &self,
        manifest: &Manifest,
        parameters: &AssetParameters,
        environment: &Map<String, Value>,
    ) -> Result<Arc<Asset>, Error> {
        let assets = self.assets.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, asset)) = assets.iter().find(|(known, _)| known == parameters) {
            return Ok(Arc::clone(asset));
        }
        drop(assets);
        let asset = Arc::new(Asset::resolve(manifest, parameters, environment)?);
        let mut assets = self.assets.write().unwrap_or_else(PoisonError::into_inner);
        if assets.len() >= MAX_ASSETS {
            assets.clear();
        }
        assets.push((parameters.clone(), Arc::clone(&asset)));
        Ok(asset)
    }

    /// An action of the catalog.
    pub(super) fn action(&self, catalog: &Catalog, name: &str) -> Option<Arc<ResolvedAction>> {
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(action) = actions.get(name) {
            return Some(Arc::clone(action));
        }
        let action = Arc::new(ResolvedAction::new(catalog, catalog.action(name)?));
        actions.insert(name.to_owned(), Arc::clone(&action));
        Some(action)
    }

    /// The compiled schema of an action's inputs.
    pub(super) fn schema(&self, action: &Action) -> Arc<Schema> {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = schemas.get(&action.name) {
            return Arc::clone(schema);
        }
        let inputs = Value::Object(action.inputs.clone());
        let schema = Arc::new(Schema::new(&inputs, Catalog::schema));
        schemas.insert(action.name.clone(), Arc::clone(&schema));
        schema
    }
}
