export { stageKit } from './define-stage.ts';
export type { Stage, StageDefinition } from './define-stage.ts';
export type { Effect, EffectList, Impure, StageContext } from './effects.ts';
export { canonicalJson, contentId, sha256Hex } from '../canonical.ts';
export { CodedError, codeOf, isRetryable, messageOf } from '../errors.ts';
export type { CodedErrorOptions, Messages } from '../errors.ts';
