/** The off-policy estimators there are; `evaluateOffPolicy` says what they are. */
export const estimatorNames = ['ips', 'snips', 'dm', 'dr', 'switch-dr', 'replay'] as const;

export type EstimatorName = (typeof estimatorNames)[number];
