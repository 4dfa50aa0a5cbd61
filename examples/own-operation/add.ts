/**
 * Adds a DNS record and waits until the name server answers: bofh run add.ts web1 192.0.2.10
 *
 * If it is killed meanwhile, `bofh recover` removes the record.
 */
import { lookup } from 'node:dns/promises';
import { setTimeout } from 'node:timers/promises';
import { atomic } from 'bofh';
import { record } from './record.ts';

const [name = '', address = '', directory = '/etc/dnsmasq.hosts'] = process.argv.slice(2);

await atomic(
  `record ${name}`,
  async (tx) => {
    const { path } = await tx.step(record, { directory, name, address });
    console.log(`wrote ${path}`);
    while (!tx.planning && !(await answers())) await setTimeout(500, undefined, { signal: tx.signal });
  },
  { timeout: 60_000 },
);

async function answers(): Promise<boolean> {
  return lookup(name).then(
    (found) => found.address === address,
    () => false,
  );
}
