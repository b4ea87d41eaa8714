export { canonicalJson, contentId, sha256Hex } from './canonical.ts';
export { CodedError, codeOf, isRetryable, messageOf } from './errors.ts';
export type { CodedErrorOptions, Messages } from './errors.ts';
export type * from './ports.ts';
export type { StageRecord } from './stage-record.ts';
export type { Stage } from './stage/define-stage.ts';
