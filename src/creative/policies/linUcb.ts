import type { CreatePolicy } from '../policy.ts';

/**
 * A linear rate for each creative over the question's context, so that what suits one segment of users need not suit another:
 *
 *   θ_a·x + α·√(m_a · xᵀA_a⁻¹x)       A_a = λ_a I + Σ n·xxᵀ       θ_a = A_a⁻¹(λ_a m_a 1 + Σ c·x)
 *
 * The context is the shares of segments and sums to 1, so that a creative that no segment has seen yet has its own mean m_a, which counts
 * for λ_a exposures in each. Where there is a model, its logit for the user is corrected by what the record has in the context beyond the mean
 * logit that the model had there, α as for all policies. The bonus is as wide as a rate's own noise, of variance about m_a. See `contexts.ts`.
 *
 * @see Li, Chu, Langford and Schapire 2010, "A contextual-bandit approach to personalized news article recommendation", disjoint models
 */
export const linUcb: CreatePolicy = ({ epsilon, linearConfidence }) => ({ epsilon, linearConfidence });
