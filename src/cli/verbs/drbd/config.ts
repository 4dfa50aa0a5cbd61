import * as drbd from '../../../api/drbd.ts';
import { UsageError } from '../../../core/errors.ts';
import type { Tx } from '../../../operations.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type {
  DrbdConfigCreate,
  DrbdConfigRemove,
  DrbdMetadata,
  DrbdWiped,
} from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

type NewConfig = Parameters<Tx['drbd']['createConfig']>[0];

/** `bofh drbd config create RESOURCE --hosts … --volumes …` */
export async function createConfig(runtime: Runtime, name: string, options: Options): Promise<number> {
  const config = configOf(name, options);
  return change(runtime, {
    act: () => drbd.createConfig(config),
    answer: ({ name: resource, file, devices }): Answer<DrbdConfigCreate> => ({
      data: { resource, file, devices },
      lines: [
        `${name} is configured in ${file}: ${devices.join(', ')}; metadata: bofh drbd create-md ${name}`,
      ],
    }),
  });
}

/** `bofh drbd config remove RESOURCE` */
export async function removeConfig(runtime: Runtime, name: string): Promise<number> {
  return change(runtime, {
    destroys: [
      `the configuration of ${printable(name)} on this host is lost; its data and metadata stay on their devices`,
    ],
    act: () => drbd.removeConfig({ name }),
    answer: (): Answer<DrbdConfigRemove> => ({
      data: { resource: name },
      lines: [`${name} is not configured any more`],
    }),
  });
}

/** `bofh drbd create-md RESOURCE`: of one volume, or of all. */
export async function createMetadata(runtime: Runtime, name: string, options: Options): Promise<number> {
  const overwrite = [...words(options['overwrite'])];
  const asked = {
    name,
    ...(typeof options['volume'] === 'string' ? { volume: wholeNumber(options['volume'], 'a volume') } : {}),
    ...(overwrite.length === 0 ? {} : { overwrite }),
    ...(options['keep'] === undefined ? {} : { keep: [...words(options['keep'])] }),
  };
  const loss = `what is known of the data by these is not known any more: ${overwrite.map(printable).join(', ')}`;
  return change(runtime, {
    destroys: overwrite.length === 0 ? [] : [loss],
    act: () => drbd.createMetadata(asked),
    answer: ({ volume, device, uuid, format, dataSize }): Answer<DrbdMetadata> => ({
      data: { resource: name, volume, device, uuid, format, dataSize },
      lines: [
        `${device} has metadata of ${name}/${String(volume)} (${format}, uuid ${uuid}) and room for ${formatSize(dataSize)}`,
      ],
    }),
  });
}

/** `bofh drbd wipe-md RESOURCE` */
export async function removeMetadata(runtime: Runtime, name: string, options: Options): Promise<number> {
  const { volume, overwrite } = options;
  const asked = {
    ...{ name, uuid: String(overwrite) },
    ...(typeof volume === 'string' ? { volume: wholeNumber(volume, 'a volume') } : {}),
  };
  return change(runtime, {
    destroys: [
      `the metadata of ${printable(name)} (uuid ${printable(asked.uuid)}) are taken off; what differs from its peer is not known any more`,
    ],
    act: () => drbd.removeMetadata(asked),
    answer: (gone): Answer<DrbdWiped> => ({
      data: { resource: name, ...gone },
      lines: [`${gone.device} holds its data alone: the metadata of ${name} are gone (uuid ${gone.uuid})`],
    }),
  });
}

function configOf(name: string, { hosts, volumes, protocol, set }: Options): NewConfig {
  const all = words(volumes).map(volumeIn);
  const sections: Record<string, Record<string, string>> = {};
  for (const each of words(set)) {
    const {
      section = '',
      option = '',
      value = '',
    } = /^(?<section>net|disk|options)\.(?<option>[\w-]+)(?:=(?<value>.*))?$/.exec(each)?.groups ?? {};
    if (section === '')
      throw new UsageError(
        `"${each}" is no option of a resource: write SECTION.OPTION=VALUE, as net.verify-alg=sha256`,
      );
    sections[section] = { ...sections[section], [option]: value };
  }
  return {
    name,
    hosts: words(hosts).map((each) => {
      const host = hostIn(each);
      const own = all.filter(({ on }) => on === host.name);
      const its = own.length > 0 ? own : all.filter(({ on }) => on === undefined);
      return { ...host, volumes: its.map(({ minor, disk }) => ({ minor, disk })) };
    }),
    ...(protocol === undefined ? {} : { protocol: protocolIn(String(protocol)) }),
    ...(Object.keys(sections).length === 0 ? {} : { options: sections }),
  };
}

const endpoint = /^(?<name>[^=]+)=(?:\[(?<six>[^\]]+)\]|(?<four>[^:[\]]+)):(?<port>\d+)(?:#(?<node>\d+))?$/;

function hostIn(text: string): Omit<NewConfig['hosts'][number], 'volumes'> {
  const { name, six, four, port, node } = endpoint.exec(text)?.groups ?? {};
  if (name === undefined)
    throw new UsageError(
      `"${text}" is no host: write NAME=ADDRESS:PORT, an IPv6 address in brackets, and #NUMBER behind it for a node id`,
    );
  return {
    ...{ name, address: six ?? four ?? '', port: Number(port) },
    ...(node === undefined ? {} : { nodeId: Number(node) }),
  };
}

function volumeIn(text: string): {
  readonly on: string | undefined;
  readonly minor: number;
  readonly disk: string;
} {
  const { on, minor, disk } = /^(?:(?<on>[^=:]+)=)?(?<minor>\d+):(?<disk>\/.*)$/.exec(text)?.groups ?? {};
  if (minor === undefined || disk === undefined)
    throw new UsageError(
      `"${text}" is no volume: write MINOR:DEVICE, as 3:/dev/vg0/web1, or HOST=MINOR:DEVICE`,
    );
  return { on, minor: Number(minor), disk };
}

function protocolIn(text: string): 'A' | 'B' | 'C' {
  if (text === 'A' || text === 'B' || text === 'C') return text;
  throw new UsageError(`"${text}" is no protocol: A, B or C`);
}

function wholeNumber(text: string, what: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`"${text}" is no number of ${what}`);
}

function words(text: string | boolean | undefined): readonly string[] {
  return typeof text === 'string' ? text.split(',').filter((each) => each !== '') : [];
}
