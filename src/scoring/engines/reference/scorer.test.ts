import { describeScorer } from '../../conformance/describeScorer.ts';
import { createReferenceScorer } from './scorer.ts';

// Answers are float32: half a unit in the last place of 1.
describeScorer('reference', createReferenceScorer, 6e-8);
