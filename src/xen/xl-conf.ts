import type { ReadHost } from '../command/index.ts';
import { parseConfig } from './config/parse.ts';

/** A value of xl.conf(5); undefined if it is not set. */
export async function xlConf(host: ReadHost, key: string): Promise<string | undefined> {
  const file = '/etc/xen/xl.conf';
  if ((await host.stat(file)) === undefined) return undefined;
  const set = parseConfig({ text: await host.readFile(file), file }).settings.get(key);
  return set === undefined || set.kind === 'list' ? undefined : set.text;
}
