import { UsageError } from '../../../core/errors.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { flag, oneOf, value, wholeNumber } from '../../runtime/verb.ts';
import { twoHosts } from './plan.ts';

/** The words of a comma-separated list, without empty ones. */
export function wordsIn(text: string): string[] {
  return text.split(',').filter((each) => each !== '');
}

/** For `read`: `web1=10.0.0.1,web2=10.0.0.2`. */
export function addressesIn(text: string, name: string): Readonly<Record<string, string>> {
  const found = new Map<string, string>();
  for (const each of text.split(',')) {
    const { host, address } = /^(?<host>[^=]+)=(?<address>.+)$/.exec(each)?.groups ?? {};
    if (host === undefined || address === undefined)
      throw new UsageError(`${name} ${each}: write HOST=ADDRESS for each of the two hosts`);
    if (found.has(host)) throw new UsageError(`${name}: ${host} is given twice`);
    found.set(host, address);
  }
  return Object.fromEntries(found);
}

/** Options that several verbs of drbd have. */
export const on = value(
  '<HOST,HOST>',
  'the two hosts, if ssh knows them by other names than the configuration',
  { read: twoHosts },
);
export const address = value(
  '<HOST=IP,…>',
  'addresses for the replication (default: the addresses in the only network that both hosts share)',
  { read: addressesIn },
);
export const port = value('<N>', 'TCP port (default: the lowest free on both hosts, from 7788)', {
  read: wholeNumber,
});
export const minor = value('<N>', 'minor number (default: the lowest free on both hosts)', {
  read: wholeNumber,
});
export const protocol = value('<A|B|C>', 'protocol (default: C)', { read: oneOf('A', 'B', 'C') });
export const volume = value('<NUMBER>', 'number of the volume', { read: wholeNumber });
export const keepVolume = flag('the same', { hidden: true });
export const waitTime = value('<DURATION>', 'longest time to wait (default: 5m)', { read: parseDuration });
