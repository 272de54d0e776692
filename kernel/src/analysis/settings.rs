//! What rust-analyzer is told when it starts.
//!
//! Its settings by name: <https://rust-analyzer.github.io/book/configuration>. What costs time or
//! memory and is of no use to a cell is off: checking, build scripts, procedural macros, reading
//! every crate beforehand, diagnostics.

use lsp_types::{
    ClientCapabilities, CompletionClientCapabilities, CompletionItemCapability,
    CompletionItemCapabilityResolveSupport, CompletionItemTag, GeneralClientCapabilities,
    HoverClientCapabilities, InitializeParams, MarkupKind, PositionEncodingKind, TagSupport,
    TextDocumentClientCapabilities,
};
use serde_json::{Value, json};
use std::path::Path;

/// How many fields, variants or methods a description lists.
const MOST_FIELDS: usize = 12;

/// The `initialize` request's parameters; `manifest` is that of the cells' package, and the files of
/// the folders `left_out` are not looked at.
pub fn initialize(manifest: &Path, left_out: &[String]) -> InitializeParams {
    InitializeParams {
        process_id: Some(std::process::id()),
        initialization_options: Some(options(manifest, left_out)),
        capabilities: capabilities(),
        ..InitializeParams::default()
    }
}

fn capabilities() -> ClientCapabilities {
    ClientCapabilities {
        general: Some(GeneralClientCapabilities {
            position_encodings: Some(vec![PositionEncodingKind::UTF8]),
            ..GeneralClientCapabilities::default()
        }),
        text_document: Some(TextDocumentClientCapabilities {
            completion: Some(CompletionClientCapabilities {
                completion_item: Some(CompletionItemCapability {
                    snippet_support: Some(true),
                    label_details_support: Some(true),
                    tag_support: Some(TagSupport {
                        value_set: vec![CompletionItemTag::DEPRECATED],
                    }),
                    // Left out of the items: nobody asks for it.
                    resolve_support: Some(CompletionItemCapabilityResolveSupport {
                        properties: vec!["documentation".to_owned()],
                    }),
                    ..CompletionItemCapability::default()
                }),
                ..CompletionClientCapabilities::default()
            }),
            hover: Some(HoverClientCapabilities {
                content_format: Some(vec![MarkupKind::Markdown]),
                ..HoverClientCapabilities::default()
            }),
            ..TextDocumentClientCapabilities::default()
        }),
        experimental: Some(json!({ "serverStatusNotification": true })),
        ..ClientCapabilities::default()
    }
}

fn options(manifest: &Path, left_out: &[String]) -> Value {
    let off = json!({ "enable": false });
    json!({
        "linkedProjects": [manifest],
        "cargo": { "buildScripts": off, "sysroot": "discover" },
        "cachePriming": off,
        "checkOnSave": false,
        "completion": {
            "addColonsToModule": false,
            "addSemicolonToUnit": false,
            "autoAwait": off,
            "autoIter": off,
            "autoimport": off,
            "autoself": off,
            "callable": { "snippets": "add_parentheses" },
            "fullFunctionSignatures": { "enable": true },
            "postfix": off,
            // What is private to its crate, a cell cannot use.
            "privateEditable": off,
            "snippets": { "custom": {} },
            "termSearch": off,
        },
        "diagnostics": off,
        "files": { "exclude": left_out, "watcher": "client" },
        "hover": {
            "dropGlue": off,
            "links": off,
            "maxSubstitutionLength": null,
            "memoryLayout": off,
            "show": {
                "enumVariants": MOST_FIELDS, "fields": MOST_FIELDS, "traitAssocItems": MOST_FIELDS,
            },
        },
        "lens": off,
        "notifications": { "cargoTomlNotFound": false },
        "procMacro": off,
    })
}
