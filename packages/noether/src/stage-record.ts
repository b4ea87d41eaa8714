/** One stage as the stage store keeps it: the original's format and two fields of ours. */
export interface StageRecord {
  readonly id: string;
  readonly signature_id: string;
  readonly signature: {
    /** NType JSON. */
    readonly input: unknown;
    readonly output: unknown;
    readonly effects: { readonly effects: readonly unknown[] };
    readonly implementation_hash: string;
  };
  readonly name: string;
  readonly capabilities: readonly string[];
  readonly cost: { readonly time_ms_p50?: number; readonly tokens_est?: number; readonly memory_mb?: number };
  readonly description: string;
  readonly examples: readonly { readonly input: unknown; readonly output: unknown }[];
  readonly lifecycle:
    'Draft' | 'Active' | 'Tombstone' | { readonly Deprecated: { readonly successor_id: string } };
  readonly ed25519_signature: string | null;
  readonly signer_public_key: string | null;
  readonly tags?: readonly string[];
  /** SHA-256 over JCS of the record's facts that `id` does not cover. */
  readonly record_hash?: string;
  /** Path → text of the stage file and its relative imports. */
  readonly archive?: Readonly<Record<string, string>>;
}
