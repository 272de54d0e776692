// What every cell of a notebook may use, and what spares evcxr a second attempt at compiling.
//
// evcxr shows a cell's last value by calling `evcxr_display` on it and, if that does not compile,
// tries again with `Debug`. A trait that gives every value the method makes the first attempt
// succeed; a type's own method comes first. Likewise evcxr first tries each notebook without `?`.

trait NeuralComposerDebugDisplay {
    fn evcxr_display(&self);
}

impl<T: std::fmt::Debug + ?Sized> NeuralComposerDebugDisplay for T {
    fn evcxr_display(&self) {
        if std::any::type_name::<T>() != "()" {
            println!("EVCXR_BEGIN_CONTENT text/plain\n{self:?}\nEVCXR_END_CONTENT");
        }
    }
}

// Variables whose types have no name, such as closures, live in their cell only.
macro_rules! neural_composer_cell_local {
    ($($statement:tt)*) => { $($statement)* };
}

Ok::<(), std::fmt::Error>(())?;
