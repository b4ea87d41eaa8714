import { z } from 'zod';

/** Where a value lies: a key of 1 to 512 characters in a namespace, the empty one where none is given. */
export const Place = z.object({ key: z.string(), namespace: z.string().nullish() });

/** The store's words for a namespace as graphs give it. */
export function namespaceOf({ namespace }: { readonly namespace?: string | null | undefined }): {
  readonly namespace: string;
} {
  return { namespace: namespace ?? '' };
}
