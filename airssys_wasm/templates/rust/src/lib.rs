//! {{name}}: greets whoever wrote, and counts. `airssys-wasm build` makes {{name}}.wasm of this file.

use std::cell::Cell;

wit_bindgen::generate!({ path: "wit", world: "runtime-host" });

use airssys::core::errors::{ComponentError, WasmError};
use airssys::core::host_services;
use airssys::core::types::{ComponentConfig, ComponentMessage, HealthStatus, LogLevel};
use exports::airssys::core::component_lifecycle::{ComponentMetadata, Guest};

thread_local! {
    // A restart begins at 0 again; what must last belongs into airssys::core::storage.
    static GREETED: Cell<u64> = const { Cell::new(0) };
}

struct Component;

impl Guest for Component {
    fn initialize(_config: ComponentConfig) -> Result<(), ComponentError> {
        Ok(())
    }

    /// `Ok(Some(bytes))` answers, `Ok(None)` answers nothing, `Err` refuses. A panic is a crash.
    fn handle_message(msg: ComponentMessage) -> Result<Option<Vec<u8>>, WasmError> {
        if msg.payload.is_empty() {
            return Err(WasmError::RuntimeError("nobody to greet".to_string()));
        }
        let number = GREETED.get() + 1;
        GREETED.set(number);
        host_services::log(LogLevel::Debug, "greeting", None);
        let name = String::from_utf8_lossy(&msg.payload);
        Ok(Some(
            format!("Hello, {name}! You are number {number}.").into_bytes(),
        ))
    }

    /// The outcome of each `host_messaging::request`.
    fn handle_callback(_msg: ComponentMessage) -> Result<(), WasmError> {
        Ok(())
    }

    fn metadata() -> ComponentMetadata {
        ComponentMetadata {
            name: "{{name}}".to_string(),
            version: "0.1.0".to_string(),
            description: "Greets by name".to_string(),
            author: String::new(),
            license: String::new(),
            supported_operations: Vec::new(),
            stateful: true,
        }
    }

    fn health() -> HealthStatus {
        HealthStatus::Healthy
    }

    fn shutdown() -> Result<(), ComponentError> {
        Ok(())
    }
}

export!(Component);
