import { UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { parseConfig } from '../xen/index.ts';

/** Settings that `vm create` writes itself, and settings that would override them. */
const own = [
  ...['name', 'uuid', 'type', 'builder', 'memory', 'vcpus', 'disk', 'vif'],
  ...['kernel', 'ramdisk', 'root', 'extra', 'cmdline', 'bootloader'],
];

/** Throws UsageError for a line that is not one of xl.cfg(5), or that changes a setting of bofh. */
export function checkExtra(lines: readonly string[]): void {
  const seen = new Set<string>();
  for (const [at, line] of lines.entries()) {
    const file = `${option('--extra', 'extra')} ${String(at + 1)}`;
    if (/[\r\n]/.test(line)) throw new UsageError(`${file}: must be one line`);
    if (/passw/i.test(line))
      throw new UsageError(`${file}: has a password, which would be in the journal and the system log`, {
        remedy:
          'after the guest is created, make its configuration unreadable for others (mode 0600), and add the line there',
      });
    const keys = [...parseConfig({ text: `${line}\n`, file }).settings.keys()];
    if (keys.length === 0) throw new UsageError(`${file}: sets nothing: expected a line such as vnc = 1`);
    for (const key of keys) {
      if (own.includes(key))
        throw new UsageError(`${file}: sets ${key}, and bofh writes ${own.join(', ')} itself`, {
          remedy: 'use the option for it, or change the configuration after the guest is created',
        });
      if (seen.has(key)) throw new UsageError(`${file}: sets ${key} again: write one line for it`);
      seen.add(key);
    }
  }
}
