//! Model files as version 2 wrote them, without a checksum: whatever is changed in them has to be found
//! by what it says.

use safetensors::SafeTensors;
use std::collections::HashMap;

/// The metadata of a file, as of version 2.
pub fn metadata(file: &[u8]) -> HashMap<String, String> {
    let (_, header) = SafeTensors::read_metadata(file).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    assert!(metadata.remove("neural-composer.checksum").is_some());
    let words = metadata.get_mut("neural-composer").unwrap();
    let older = words.replace("\"format_version\":3", "\"format_version\":2");
    assert_ne!(*words, older);
    *words = older;
    metadata
}

/// The file, as of version 2.
#[allow(dead_code)]
pub fn file(file: &[u8]) -> Vec<u8> {
    let tensors = SafeTensors::deserialize(file).unwrap();
    safetensors::serialize(tensors.tensors(), Some(metadata(file))).unwrap()
}
