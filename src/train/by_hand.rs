//! What a training loop written by hand needs of a network.

use super::loss::{Criterion, Loss};
use super::optimizer::{Optimizer, Rule};
use crate::Result;
use crate::model::Network;

impl Network {
    /// An optimizer over all parameters of the network, which counts its steps as the network's.
    ///
    /// A training loop of your own, with nothing hidden:
    ///
    /// ```
    /// use neural_composer::{audio::Audio, features::SpectrumLayout, prelude::*};
    /// # let hum = Audio::mono((0..8_000).map(|i| (i as f32 * 0.1).sin()).collect(), 8_000)?;
    /// # let blocks =
    /// #     Blocks { sample_rate_hz: 8_000, block_samples: 64, layout: SpectrumLayout::Half };
    /// # let settings = DatasetSettings { blocks, sequence_blocks: 10, stride_blocks: 5 };
    /// # let data = Dataset::from_audio(&[("hum".into(), hum)], settings)?;
    /// # let config = NetworkConfig::stack(data.blocks().width(), [lstm(16)]);
    /// let device = Device::best();
    /// let network = Network::new(config, &data, 1, &device)?;
    /// let criterion = network.criterion(Loss::MeanSquared)?;
    /// let mut optimizer = network.optimizer(Rule::default())?;
    /// let mut losses = live_chart("loss");
    /// for epoch in progress(0..5) {
    ///     for batch in data.in_batches(8).shuffled(epoch).on(&device) {
    ///         let batch = batch?;
    ///         let (predicted, _) = network.forward(&batch.inputs, None)?;
    ///         let loss = criterion.of(&predicted, &batch.targets)?;
    ///         losses.push(optimizer.minimize(&loss, 1e-3)?);
    ///     }
    /// }
    /// assert_eq!(network.updates(), losses.finish().len());
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if memory runs out.
    pub fn optimizer(&self, rule: Rule) -> Result<Optimizer> {
        let variables = self.variables().iter();
        let named = variables.map(|(name, variable)| (name.clone(), variable.clone())).collect();
        Ok(Optimizer::new(rule, named)?.counting(self.updates.clone()))
    }

    /// `loss` made ready for what the network predicts.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a loss with a number that is not above 0.
    pub fn criterion(&self, loss: Loss) -> Result<Criterion> {
        loss.criterion(self.dataset_settings().blocks, self.normaliser())
    }
}
