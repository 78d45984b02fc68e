//! The features of a segment that a new head is fitted on, and the embedding of a song.

/// What the network with the embedding computes for one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentFeatures {
    /// Pooled values, then the embedding: [`crate::Architecture::features_width`] values.
    pub values: Vec<f32>,
    /// Whether the ensemble rule takes the segment for music. True if the network predicts no kinds of
    /// non-music.
    pub music: bool,
}

/// The segments that represent a song: those of music, or all audible ones if none is music.
pub fn musical(segments: &[SegmentFeatures]) -> Vec<&SegmentFeatures> {
    let music: Vec<_> = segments.iter().filter(|segment| segment.music).collect();
    if music.is_empty() { segments.iter().collect() } else { music }
}

/// The embedding of a song: the mean over its [`musical`] segments of the last `width` values, which are the
/// segment's embedding. `None` without a segment.
pub fn song_embedding(segments: &[SegmentFeatures], width: usize) -> Option<Vec<f32>> {
    let music = musical(segments);
    let mut sum = vec![0.0_f64; width];
    for segment in &music {
        let embedding = segment.values.get(segment.values.len().checked_sub(width)?..)?;
        sum.iter_mut().zip(embedding).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    (!music.is_empty()).then(|| sum.iter().map(|sum| (sum / music.len() as f64) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(values: [f32; 3], music: bool) -> SegmentFeatures {
        SegmentFeatures { values: values.to_vec(), music }
    }

    #[test]
    fn speech_is_left_out_of_the_embedding_of_a_song() {
        let mut segments = vec![
            segment([9.0, 1.0, 2.0], true),
            segment([9.0, 50.0, 50.0], false),
            segment([9.0, 3.0, 6.0], true),
        ];
        assert_eq!(song_embedding(&segments, 2), Some(vec![2.0, 4.0]));
        // A recording without music is represented by all of it.
        segments.iter_mut().for_each(|segment| segment.music = false);
        assert_eq!(song_embedding(&segments, 2), Some(vec![18.0, 58.0 / 3.0]));
        assert_eq!(song_embedding(&[], 2), None);
        assert_eq!(song_embedding(&segments, 4), None);
    }
}
