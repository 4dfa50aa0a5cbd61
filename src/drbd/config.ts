import { parseXml, XmlComment, XmlElement, XmlText } from '@rgrove/parse-xml';
import * as z from 'zod/mini';
import { ParseError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { text } from '../core/request.ts';

/** Options by section (`net`, `disk`) and name; one without a value is a switch: ''. */
export type Options = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** A volume in the configuration of a host. */
export interface ConfiguredVolume {
  readonly volume: number;
  readonly minor: number;
  /** `/dev/drbd0`, or as the configuration names it. */
  readonly device: string;
  /** The backing device; undefined if this host has none (`none`). */
  readonly disk?: string;
  /**
   * `internal`: at the end of the disk. `index`: one of several areas of 128 MiB on the device;
   * without it, the metadata has the whole device.
   */
  readonly metadata: 'internal' | { readonly device: string; readonly index?: number };
}

/** An address of a host in a resource. */
export interface Address {
  /** `ipv4`, `ipv6`, `ssocks`, `sdp` */
  readonly family: string;
  readonly address: string;
  readonly port: number;
}

/** A host of a resource. */
export interface ConfiguredHost {
  /** Empty: the host is identified only by its address (`floating`). */
  readonly names: readonly string[];
  /**
   * The address of the host, or the one for every peer; undefined: it differs by peer, or there is
   * none.
   */
  readonly address?: Address;
  /** Its addresses for single peers (only DRBD 9), in addition to `address`. */
  readonly peerAddresses?: readonly Address[];
  readonly volumes: readonly ConfiguredVolume[];
}

/** A resource of the configuration. */
export interface Configured {
  readonly name: string;
  /** The file and line where the resource begins. */
  readonly file: string;
  readonly line: number;
  /** Empty if its file is incomplete. */
  readonly hosts: readonly ConfiguredHost[];
  /** Options of the resource, merged with those of `common`; without the options of its connections. */
  readonly options: Options;
  readonly connections: readonly ConfiguredConnection[];
  /** drbdadm does not check whether this host has its address (`disable-ip-verification`). */
  readonly anyAddress?: true;
}

/** A connection between hosts of a resource. If the file has no connection, there is one with all hosts. */
export interface ConfiguredConnection {
  readonly hosts: readonly string[];
  /** Net options as drbdadm resolves them: connection first, then resource, then `common`. */
  readonly net: Readonly<Record<string, string>>;
}

/** The key whose value bofh does not read, because it is not needed. */
const secret = 'shared-secret';

const number = z.pipe(z.string().check(z.regex(/^\d{1,10}$/)), z.transform(Number));

/**
 * The text that drbdadm 9 prints for a host without an address: printf's text for a null string
 * (drbdadm_dump.c of drbd-utils 9).
 */
const none = '(null)';

const attributes = {
  resource: z.object({ name: text, 'conf-file-line': z.string().check(z.regex(/^\/.*:\d+$/s)) }),
  volume: z.object({ vnr: number }),
  device: z.object({ minor: number }),
  host: z.union([z.strictObject({ name: text }), z.strictObject({ floating: z.literal('1') })]),
  address: z.union([
    z.strictObject({ family: z.literal(none), port: z.literal(none) }),
    z.strictObject({ family: text.check(z.refine((family) => family !== none)), port: number }),
  ]),
  end: z.strictObject({ name: text }),
  metaDisk: z.object({ index: z.exactOptional(number) }),
  section: z.strictObject({ name: text }),
  option: z.strictObject({ name: text, value: z.exactOptional(z.string()) }),
};

/**
 * Every resource of the configuration, from `drbdadm --dry-run dump-xml`: for an 8.4 module (drbdadm-84), and
 * for 9, which adds `connection`, in which a host may have its address (LINSTOR writes it so). The other
 * top-level elements apply to all resources (`common`, which is merged into each, and `global`).
 */
export function parseConfig(xml: string): readonly Configured[] {
  const top = parseXml(xml).root;
  if (top?.name !== 'config') throw new ParseError('its root element is not <config>');
  const { many } = partsOf(top, ['resource', 'common', 'global']);
  const common = many('common').flatMap((each) => partsOf(each, ['section']).many('section'));
  const anyAddress = many('global').some((each) =>
    each.children.some((child) => child instanceof XmlElement && child.name === 'disable-ip-verification'),
  );
  return many('resource').map((each) => ({
    ...resource(each, netIn(common)),
    ...(anyAddress ? { anyAddress } : {}),
  }));
}

type Net = ConfiguredConnection['net'];

function netIn(sections: readonly XmlElement[]): Net {
  return Object.fromEntries(sections.map(optionsIn))['net'] ?? {};
}

function resource(element: XmlElement, common: Net): Configured {
  const { name, 'conf-file-line': at } = attributes.resource.parse(element.attributes);
  const cut = at.lastIndexOf(':');
  const { many } = partsOf(element, ['host', 'section', 'connection']);
  const hosts = many('host').map(hostOf(many('connection').flatMap(endsOf)));
  const net = { ...common, ...netIn(many('section')) };
  const own = many('connection').map((connection) => ({
    hosts: [...new Set(endsOf(connection).map((end) => end.name))],
    net: { ...net, ...netIn(partsOf(connection, connectionParts).many('section')) },
  }));
  return {
    ...{ name, file: at.slice(0, cut), line: Number(at.slice(cut + 1)), hosts },
    options: Object.fromEntries(many('section').map(optionsIn)),
    connections: own.length > 0 ? own : [{ hosts: hosts.flatMap(({ names }) => names), net }],
  };
}

/** The connections of a host: all of them if the host has no name. */
export function connectionsOf(
  { connections }: Pick<Configured, 'connections'>,
  { names }: Pick<ConfiguredHost, 'names'>,
): readonly ConfiguredConnection[] {
  return connections.filter(({ hosts }) => names.length === 0 || hosts.some((name) => names.includes(name)));
}

const connectionParts = ['host', 'path', 'section', 'volume'];

/** A host as a connection names it, with its address in that connection. */
interface End {
  readonly name: string;
  readonly address: Address | undefined;
}

/** The address of its one path, or of each path. */
function endsOf(connection: XmlElement): readonly End[] {
  const { many } = partsOf(connection, connectionParts);
  const paths = many('path').map((path) => partsOf(path, ['host']));
  return [{ many }, ...paths].flatMap((each) =>
    each.many('host').map((host) => {
      const { name } = attributes.end.parse(host.attributes);
      return { name, address: addressOf(partsOf(host, ['address', 'proxy']).one('address')) };
    }),
  );
}

function hostOf(ends: readonly End[]): (element: XmlElement) => ConfiguredHost {
  return (element) => {
    const known = attributes.host.parse(element.attributes);
    const { many, one } = partsOf(element, ['volume', 'address', 'section', 'proxy']);
    const names = 'name' in known ? known.name.split(' ') : [];
    const own = addressOf(one('address'));
    const its = ends.flatMap(({ name, address }) =>
      address !== undefined && names.includes(name) ? [address] : [],
    );
    const all = own === undefined ? its : [own, ...its];
    const others = all.filter(
      (each, at) => all.findIndex((one) => wordsOf(one) === wordsOf(each)) === at && each !== own,
    );
    const only = own ?? (others.length === 1 ? others[0] : undefined);
    const rest = others.filter((each) => each !== only);
    return {
      names,
      ...present({ address: only }),
      ...(rest.length === 0 ? {} : { peerAddresses: rest }),
      volumes: many('volume').map(volumeOf),
    };
  };
}

/** The address in an element; undefined if the configuration says `none`. */
function addressOf(element: XmlElement): Address | undefined {
  const { family, port } = attributes.address.parse(element.attributes);
  const address = textIn(element);
  if (port !== none) return { family, address, port };
  if (address !== none) throw new ParseError(`the address ${address} has no port`);
  return undefined;
}

function wordsOf({ family, address, port }: Address): string {
  return `${family} ${address} ${String(port)}`;
}

/** The addresses of a host in a resource. */
export function addressesOf({
  address,
  peerAddresses = [],
}: Pick<ConfiguredHost, 'address' | 'peerAddresses'>): readonly Address[] {
  return address === undefined ? peerAddresses : [address, ...peerAddresses];
}

function volumeOf(element: XmlElement): ConfiguredVolume {
  const { vnr } = attributes.volume.parse(element.attributes);
  const { many, one } = partsOf(element, ['device', 'disk', 'meta-disk', 'section']);
  const { minor } = attributes.device.parse(one('device').attributes);
  const its = { volume: vnr, minor, device: deviceIn(one('device'), minor) };
  // A dry run of drbdadm 9 shows `none` like this, without the metadata (9.22).
  if (one('disk').children.length === 0 && many('meta-disk').length === 0)
    return { ...its, metadata: 'internal' };
  const { index } = attributes.metaDisk.parse(one('meta-disk').attributes);
  const [path, where] = [textIn(one('disk')), textIn(one('meta-disk'))];
  return {
    ...its,
    ...(path === 'none' ? {} : { disk: path }),
    metadata: where === 'internal' ? where : { device: where, ...present({ index }) },
  };
}

function optionsIn(element: XmlElement): readonly [string, Readonly<Record<string, string>>] {
  const { name } = attributes.section.parse(element.attributes);
  const options = partsOf(element, ['option', 'section'])
    .many('option')
    .map((each) => {
      const known = attributes.option.parse(each.attributes);
      return [
        known.name,
        known.name === secret && known.value !== undefined ? '(hidden)' : (known.value ?? ''),
      ] as const;
    });
  return [name, Object.fromEntries(options)];
}

interface Parts {
  readonly many: (name: string) => readonly XmlElement[];
  readonly one: (name: string) => XmlElement;
}

/** The child elements of an element; other text or an unknown element is an error. */
function partsOf(element: XmlElement, known: readonly string[]): Parts {
  const inner = element.children.flatMap((child) => {
    if (child instanceof XmlElement && known.includes(child.name)) return [child];
    if (child instanceof XmlComment || (child instanceof XmlText && child.text.trim() === '')) return [];
    throw new ParseError(`<${element.name}> contains an unknown node: ${JSON.stringify(child)}`);
  });
  const many = (name: string): readonly XmlElement[] => inner.filter((each) => each.name === name);
  return {
    many,
    one: (name) => {
      const [only, ...more] = many(name);
      if (only === undefined || more.length > 0)
        throw new ParseError(
          `<${element.name}> must contain exactly one <${name}>, not ${String(many(name).length)}`,
        );
      return only;
    },
  };
}

/** The device of a volume; the name is empty in the configuration if the device has the default name. */
function deviceIn(element: XmlElement, minor: number): string {
  return element.isEmpty ? `/dev/drbd${String(minor)}` : textIn(element);
}

/** The text of an element without child elements. */
function textIn({ name, children }: XmlElement): string {
  const text = children.map((child) => (child instanceof XmlText ? child.text : undefined));
  const whole = text.join('').trim();
  if (whole === '' || text.includes(undefined)) throw new ParseError(`<${name}> must contain only text`);
  return whole;
}
