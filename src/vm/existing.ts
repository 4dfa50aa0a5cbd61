import { type Found, incomparable } from '../atomic/ensure.ts';
import type { ReadHost } from '../command/index.ts';
import { probe, type Signature } from '../blockdevice/index.ts';
import { option } from '../core/option.ts';
import { checkVgName, usableVg } from '../lvm/index.ts';
import type { Site } from '../site.ts';
import { domains, guestConfigs, parseConfig, type Setting, type Settings, settingsOf } from '../xen/index.ts';
import { autostartLinks } from './autostart.ts';
import type { CheckedCreate } from './create-request.ts';
import { refuseWithoutGroup } from './checks.ts';
import { refuseRepeated } from './configured.ts';
import { type CreatedVm, describeGuest } from './create.ts';

const mib = 1024 ** 2;

/**
 * The configured guest of that name, compared with a request: the requested settings in its
 * configuration, and the size and pool of each disk. The content of its disks is not compared, nor a
 * MAC address that was not requested. Undefined if no such guest is configured.
 */
export async function existingGuest(
  host: ReadHost,
  { site, request }: { readonly site: Site; readonly request: CheckedCreate },
): Promise<Found<CreatedVm> | undefined> {
  if (request.drbd !== undefined)
    throw incomparable(option('--drbd', 'drbd'), 'bofh cannot compare the disks on two hosts');
  const { guests, repeated } = await guestConfigs(host, site.guestConfigDirs);
  refuseRepeated(request.name, repeated);
  const guest = guests.find(({ name }) => name === request.name);
  if (guest === undefined) return undefined;
  const { vg, wanted, data, text, ssh } = await describeGuest(host, { site, request });
  refuseWithoutGroup(vg);
  checkVgName(vg);
  const { extentSize, volumes } = await usableVg(host, vg);
  const settings = comparable(settingsOf(parseConfig({ text, file: guest.file })), request);
  const file = await host.readFile(guest.file);
  const there = comparable(settingsOf(parseConfig({ text: file, file: guest.file })), request);
  const [domain] = await domains(host, (each) => each.name === guest.name);
  const sizes = wanted.flatMap(({ name, size }) => {
    const lv = volumes.find((each) => each.name === name);
    return [
      [`${name} size`, [Math.ceil(size / extentSize) * extentSize, lv?.size]] as const,
      [`${name} pool`, [request.thin, lv?.pool?.name]] as const,
    ];
  });
  const [root = '', ...others] = wanted.map(({ name }) => `/dev/${vg}/${name}`);
  const swap = request.swap > 0 ? others.shift() : undefined;
  const encrypted = new Map<string, Signature | undefined>();
  for (const [at, { name, luks }] of data.entries()) {
    const path = others[at] ?? '';
    if (luks !== undefined && (await host.stat(path)) !== undefined)
      encrypted.set(name, await probe(host, path));
  }
  return {
    what: `the guest ${guest.name}`,
    keys: [`file:${guest.file}`, ...wanted.map(({ name }) => `lv:${vg}/${name}`), `vg:${vg}`],
    compared: {
      ...Object.fromEntries<readonly [unknown, unknown]>([
        ...Object.entries(settings).map(([key, value]) => [key, [value, there[key]]] as const),
        ...sizes,
        ...[...encrypted].map(([name, found]) => [`${name} content`, ['crypto_LUKS', found?.type]] as const),
      ]),
      autostart: [
        request.autostart === true ? true : undefined,
        (await autostartLinks(host, guest.file)).length > 0,
      ],
      state: [request.start ? 'running' : undefined, domain?.state ?? 'off'],
    },
    value: {
      ...{ name: guest.name, config: guest.file, root, swap, peer: undefined, domid: domain?.id, ssh },
      disks: data.map(({ size: _, luks: __, ...each }, at) => ({
        ...{ ...each, device: others[at] ?? '' },
        luks: encrypted.get(each.name)?.uuid,
      })),
      opensLuks: undefined,
      hostKey: undefined,
      source: undefined,
      partition: undefined,
      dropped: [],
      merged: [],
    },
    show: `bofh vm show ${guest.name}`,
  };
}

/** The settings to compare: memory in bytes, as in the request, and no random values. */
function comparable({ uuid: _, memory, vif, ...others }: Settings, { mac }: CheckedCreate): Settings {
  const bare = (text: Setting): Setting =>
    typeof text === 'string' && mac === undefined ? text.replace(/mac=[^,]*,?/, '') : text;
  return {
    ...others,
    ...(memory === undefined ? {} : { memory: Number(memory) * mib }),
    ...(vif === undefined ? {} : { vif: Array.isArray(vif) ? vif.map(bare) : vif }),
  };
}
