import { ensurable, incomparable } from '../atomic/ensure.ts';
import { sha256 } from '../file/path.ts';
import { checkNewConfig } from './new-config.ts';
import * as operations from './operations.ts';
import { configKey, deviceOf } from './operations/known-resource.ts';
import { configured } from './reads.ts';

/**
 * Writes the configuration of a resource, or does nothing if the file already has this configuration.
 * If the text differs, the error has only digests, because the existing file can contain a secret.
 */
export const createConfig = ensurable(operations.createConfig, async (host, args) => {
  checkNewConfig(args);
  const { name, hosts, protocol, options = {}, text, mode } = args;
  if (hosts.some(({ nodeId }) => nodeId !== undefined))
    throw incomparable('nodeId', 'bofh cannot read it from an existing resource');
  const found = (await configured(host)).find((each) => each.name === name);
  if (found === undefined) return undefined;
  const { hostname } = await host.facts();
  const here = found.hosts.find(({ names }) => names.includes(hostname));
  const content = text === undefined ? undefined : await host.readFile(found.file);
  const byName = (one: { readonly name: string }, other: { readonly name: string }): number =>
    one.name < other.name ? -1 : 1;
  return {
    what: `the DRBD resource ${name}`,
    keys: [`file:${found.file}`, configKey(name)],
    compared: {
      hosts: [
        hosts
          .map(({ volumes, address, port, name: host }) => ({
            name: host,
            at: `${address}:${String(port)}`,
            volumes: volumes.map(({ minor, disk }) => ({ minor, disk, metadata: 'internal' })),
          }))
          .toSorted(byName),
        found.hosts
          .map(({ names, address, volumes }) => ({
            name: names.join(),
            at: `${address?.address ?? ''}:${String(address?.port ?? '')}`,
            volumes: volumes.map(({ minor, disk, metadata }) => ({ minor, disk, metadata })),
          }))
          .toSorted(byName),
      ],
      protocol: [protocol, found.options['net']?.['protocol']],
      ...Object.fromEntries(
        Object.entries(options).map(([section, asked]) => [
          section,
          [asked, Object.fromEntries(Object.keys(asked).map((key) => [key, found.options[section]?.[key]]))],
        ]),
      ),
      text: [
        text === undefined ? undefined : digest(text),
        content === undefined ? undefined : digest(content),
      ],
      mode: [mode, (await host.stat(found.file))?.mode],
    },
    value: { name, file: found.file, devices: (here?.volumes ?? []).map(({ minor }) => deviceOf(minor)) },
    show: `bofh drbd show ${name}`,
  };
});

function digest(content: Uint8Array | string): string {
  return `sha256:${sha256(content)}`;
}
