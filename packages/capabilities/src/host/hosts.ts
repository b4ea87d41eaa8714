import { apiUrl, type Forges } from '@caloron/types';

import { HttpError } from './errors.ts';

/** Whether a list names the host of an address: name and port are compared as they are, nothing stands for others. */
export function isNamedHost(hosts: readonly string[], url: URL): boolean {
  return hosts.some((entry) => {
    const listed = URL.parse(`${url.protocol}//${entry}`);
    return listed !== null && listed.origin === url.origin && listed.href === `${url.origin}/`;
  });
}

/** HTTP_HOST_REFUSED for a host the policy does not name. */
export function hostRefused(host: string, allowed: readonly string[]): HttpError<'HTTP_HOST_REFUSED'> {
  const hint = 'name the host in policy.hosts of the graph';
  return new HttpError('HTTP_HOST_REFUSED', { host, allowed }, { hint });
}

/** Forges on the hosts a run's policy names, whatever its stages make of their input; null is no policy. Throws HTTP_HOST_REFUSED. */
export function forgesOf(forges: Forges, hosts: readonly string[] | null): Forges {
  if (hosts === null) return forges;
  return {
    open(target) {
      const url = URL.parse(apiUrl(target.host));
      if (url !== null && !isNamedHost(hosts, url)) throw hostRefused(url.host, hosts);
      // What is no address is the forges' to refuse.
      return forges.open(target);
    },
  };
}
