/**
 * Creates the guests of a CSV file, each with a data disk: bofh run guests-from-csv.ts guests.csv
 *
 * A second run changes nothing. A guest that cannot be created does not stop the others.
 */
import { readFileSync } from 'node:fs';
import { atomic, BofhError, explain, vm, xen } from 'bofh';

const [file = 'guests.csv', source = '/srv/bookworm.tar', vg = 'vg0'] = process.argv.slice(2);

interface Row {
  readonly name: string;
  readonly memory: string;
  readonly size: string;
  /** `0`: no data disk. */
  readonly data: string;
  readonly address: string;
}

function rowsOf(text: string): readonly Row[] {
  const [head = '', ...lines] = text.split('\n').filter((line) => line.trim() !== '');
  if (head !== 'name,memory,size,data,address') throw new Error(`${file}: unknown columns: ${head}`);
  return lines.map((line) => {
    const [name = '', memory = '', size = '', data = '', address] = line.split(',');
    if (address === undefined) throw new Error(`${file}: five columns are needed: ${line}`);
    return { name, memory, size, data, address };
  });
}

/** The data disk is there exactly as asked, or it is created. */
async function ensureData({ name, data }: Row): Promise<boolean> {
  if (data === '0') return false;
  return atomic(`data disk of ${name}`, async (tx) => {
    const lv = await tx.ensure.lvm.createLv({ vg, name: `${name}-data`, size: data });
    const filesystem = await tx.ensure.filesystem.create({
      device: lv.value.path,
      type: 'ext4',
      label: name,
    });
    return lv.changed || filesystem.changed;
  });
}

async function ensureGuest({ name, memory, size, address }: Row): Promise<boolean> {
  if (configured.has(name)) return false;
  await vm.create({
    ...{ name, memory, size, vg, source: { type: 'tar', path: source } },
    ...{ ip: address, bridge: 'xenbr0' },
  });
  return true;
}

const configured = new Set((await xen.allDomus()).map(({ name }) => name));
const table: { readonly name: string; readonly result: string; readonly why: string }[] = [];
for (const row of rowsOf(readFileSync(file, 'utf8'))) {
  try {
    const changed = [await ensureData(row), await ensureGuest(row)].includes(true);
    table.push({ name: row.name, result: changed ? 'created' : 'unchanged', why: '' });
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    // Neither the other guests nor a second try would end better.
    if (['interrupted', 'stuck', 'journal'].includes(error.code)) throw error;
    table.push({ name: row.name, result: 'failed', why: explain(error) });
  }
}
console.table(table);
if (table.some(({ result }) => result === 'failed')) process.exitCode = 6;
