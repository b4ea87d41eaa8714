/** Where a record is in its life. Only an Active one is found by name and signature while it has one. */
export type Lifecycle =
  'Draft' | 'Active' | 'Tombstone' | { readonly Deprecated: { readonly successor_id: string } };

/** One stage as the stage store keeps it: the original's format, the stage's archive, and the seal of this store. */
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
  readonly lifecycle: Lifecycle;
  /** The author's Ed25519 signature over the ASCII bytes of `id`, 128 hex digits; null without an author. */
  readonly ed25519_signature: string | null;
  /** The author's public key, 64 hex digits. */
  readonly signer_public_key: string | null;
  readonly tags?: readonly string[];
  /** Further words it is searched by; a graph never refers to a stage by one. */
  readonly aliases?: readonly string[];
  /** What holds of every example: see StageProperty. */
  readonly properties?: readonly unknown[];
  /** Code of a stage that was added from a spec file; nothing here runs it. */
  readonly implementation_code?: string;
  readonly implementation_language?: string;
  /** Path → text of the stage file and its relative imports. */
  readonly archive?: Readonly<Record<string, string>>;
  /** Field → SHA-256 over JCS of its value, for every field but the four of the seal. */
  readonly record_fields?: Readonly<Record<string, string>>;
  /** SHA-256 over JCS of `record_fields`: it covers what `id` does not, lifecycle included. */
  readonly record_hash?: string;
  /** Ed25519 signature over the ASCII bytes of `record_hash`, by whoever last put or changed the record. */
  readonly record_signature?: string;
  /** The public key of that signature. */
  readonly record_signer?: string;
}
