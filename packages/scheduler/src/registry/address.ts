import { RegistryClientError } from './client-errors.ts';

/** A registry to read from. */
export interface RegistryAddress {
  /** http or https, without user, password, query and fragment. */
  readonly url: string;
  /** Sent as X-API-Key to this address alone; null where it may be read without. */
  readonly api_key: string | null;
}

/** What is wrong with the address of a registry; null when nothing is. */
export function addressProblem(url: string): string | null {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/u.test(parsed.protocol)) return 'expected an http or https address';
  if (parsed.username !== '' || parsed.password !== '')
    return 'expected an address without user and password; a key goes into NOETHER_REGISTRY_API_KEY';
  if (parsed.search !== '' || parsed.hash !== '')
    return 'expected an address without query and fragment; a key goes into NOETHER_REGISTRY_API_KEY';
  return null;
}

/** The address in the form mirrors are named by: `https://Host:443/a/` is `https://host/a`. */
export function plainUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/\/+$/u, '')}`;
}

/** Whether a key crosses a network unencrypted on its way. */
export function sendsInClear({ url, api_key }: RegistryAddress): boolean {
  const { protocol, hostname } = new URL(url);
  return api_key !== null && protocol === 'http:' && !/^(?:localhost|127\.[\d.]+|\[::1\])$/u.test(hostname);
}

/** Whether a text can be sent as a key. */
export function isKey(text: string): boolean {
  return /^[\x21-\x7e]{1,1024}$/u.test(text);
}

/** The key as it can be sent; null for none. `name` says where it was set. Throws REGISTRY_READ_KEY_INVALID, without the key. */
export function keyOf(name: string, text: string | null | undefined): string | null {
  const key = text?.trim() ?? '';
  if (key === '') return null;
  if (isKey(key)) return key;
  throw new RegistryClientError('REGISTRY_READ_KEY_INVALID', { name });
}

/** Where keys of registries are set beside scheduler.json. */
export interface RegistryVariables {
  /** NOETHER_REGISTRY: whose key the other is; null: any registry's. */
  readonly registry_url: string | null;
  /** NOETHER_REGISTRY_API_KEY. */
  readonly registry_api_key: string | null;
}

/** A registry with the key that is its own: the one written beside its address, else the variable's where that is meant for it. Throws REGISTRY_READ_KEY_INVALID. */
export function addressOf(
  url: string,
  written_key: string | null,
  { registry_url, registry_api_key }: RegistryVariables,
): RegistryAddress {
  const own = registry_url === null || URL.parse(registry_url)?.origin === new URL(url).origin;
  const api_key =
    keyOf('registry_api_key', written_key) ??
    (own ? keyOf('NOETHER_REGISTRY_API_KEY', registry_api_key) : null);
  return { url: plainUrl(url), api_key };
}

/** What helps where a registry's record carries no seal or no signature. */
export function unsignedHint(url: string): string {
  return `ask the operator of ${plainUrl(url)} for it: a registry signs for what it takes`;
}
