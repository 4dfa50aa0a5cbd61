import * as z from 'zod/mini';
import { absolutePath } from '../blockdevice/path.ts';
import { isOdd, Secret, shownName } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';
import { publicKeys } from '../core/public-key.ts';
import { parsed } from '../core/request.ts';
import { accountName } from '../account/database.ts';
import { packageName } from '../packages/index.ts';
import { scriptName } from '../shell/commands.ts';
import { canonicalKey, parameterKey, parameterValue } from '../kernel/parameter.ts';
import { canonicalModule, moduleName } from '../kernel/module.ts';
import { unitName } from '../service/unit.ts';
import { refuseNarrowMask } from './acl.ts';
import type {
  AptSourceRequest,
  CronRequest,
  Described,
  DirectoryRequest,
  FileRequest,
  GroupRequest,
  HostBuilder,
  HostDescription,
  KernelModuleRequest,
  Later,
  PackageRequest,
  ReleaseRequest,
  ScriptRequest,
  ServiceRequest,
  SysctlRequest,
  TemplateRequest,
  UserRequest,
} from './description.ts';
import type { Facts } from './facts.ts';
import { type EditRequest, editsOf, syntaxes } from './edit/edit.ts';
import { hostName } from './hostname.ts';
import type { LinesRequest } from './lines.ts';
import { kernelModuleRequest } from './kernel-module.ts';
import { localeName } from './locale.ts';
import { isRecord, revealed } from './plain.ts';
import { type EnsureName, inOrder, namedBy, isAmong, type Resource, type WantedFile } from './resource.ts';
import { cronName, cronRequest, cronText } from './cron.ts';
import { releaseOf, releaseRequest } from './release.ts';
import { schemas, secretText } from './request-schemas.ts';
import { zoneName } from './timezone.ts';
import { rendered, templatePath, textOf } from './template.ts';
import { present } from '../core/present.ts';
import { conflict, isRival, isSame, refuseAbsentOwners } from './contradictions.ts';

const publicKey = /^-----BEGIN PGP PUBLIC KEY BLOCK-----\n[^\0]*-----END PGP PUBLIC KEY BLOCK-----\n*$/;

/** Collects a description, in the order in which it is applied. UsageError if it is invalid. */
export async function collect(description: HostDescription, facts: Facts): Promise<readonly Resource[]> {
  const given: unknown = description;
  if (
    typeof given !== 'object' ||
    given === null ||
    !('describe' in given) ||
    typeof given.describe !== 'function'
  )
    throw new UsageError('this is not a description of a host: it has no function describe', {
      remedy: 'export default defineHost((h) => { … })',
    });
  const all: Resource[] = [];
  /** The directories that contain the releases. */
  const roots: Resource[] = [];
  /** Adds a resource. Returns the existing one if both describe the same. */
  const add = (one: Resource): Resource => {
    const rival = all.find((other) => isRival(one, other));
    if (rival === undefined) all.push(one);
    else if (!isSame(one, rival)) throw conflict(one, rival);
    return rival ?? one;
  };
  const addAt = (one: Resource & Described): Described => {
    add(one);
    return { path: one.path };
  };
  const builder = {
    file: (path: string, request: FileRequest): Described => {
      const at = placeOf(builder.file);
      const { content, ...rest } = checked(at, path, 'file', request);
      return addAt({
        kind: 'file',
        identity: path,
        at,
        path,
        wanted: { ...rest, ...contentOf(at, path, content, facts) },
      });
    },
    template: (path: string, request: TemplateRequest): Described => {
      const at = placeOf(builder.template);
      const { file, data: given = {}, ...rest } = checked(at, path, 'template', request);
      const { data, secret } = revealed(given, `${at}: data`);
      const template = { file: templatePath(file, at), data };
      return addAt({
        kind: 'file',
        identity: path,
        at,
        path,
        wanted: { ...rest, content: new Uint8Array(), secret, template },
      });
    },
    directory: (path: string, request: DirectoryRequest = {}): Described => {
      const at = placeOf(builder.directory);
      return addAt({
        kind: 'directory',
        identity: path,
        at,
        path,
        wanted: checked(at, path, 'directory', request),
      });
    },
    link: (path: string, request: { readonly to: string }): Described => {
      const at = placeOf(builder.link);
      return addAt({ kind: 'link', identity: path, at, path, ...checked(at, path, 'link', request) });
    },
    absent: (path: string): Described => {
      const at = placeOf(builder.absent);
      checkPath(at, path);
      return addAt({ kind: 'absent', identity: path, at, path, emptied: [] });
    },
    aptSource: (name: string, request: AptSourceRequest): Described => {
      const at = placeOf(builder.aptSource);
      const what = `${at}: h.aptSource ${name}`;
      // apt ignores files with other names.
      parsed(what, scriptName, name);
      const { components = [], key, signedBy, ...rest } = parsed(what, schemas['apt-source'], request);
      return addAt({
        kind: 'apt-source',
        identity: `/etc/apt/sources.list.d/${name}.sources`,
        at,
        path: `/etc/apt/sources.list.d/${name}.sources`,
        name,
        wanted: {
          ...{ ...rest, components },
          ...(signedBy === undefined
            ? { signedBy: `/etc/apt/keyrings/${name}.asc`, key: keyOf(what, at, key, facts) }
            : { signedBy }),
        },
      });
    },
    package: (name: string, request: PackageRequest = {}): void => {
      const at = placeOf(builder.package);
      const what = `${at}: h.package ${name}`;
      parsed(what, packageName, name);
      const wanted = parsed(what, schemas.package, request);
      add({ kind: 'package', identity: `package ${name}`, at, name, wanted });
    },
    group: (name: string, request: GroupRequest = {}): void => {
      const at = placeOf(builder.group);
      const what = `${at}: h.group ${name}`;
      parsed(what, accountName, name);
      add({
        kind: 'group',
        identity: `group ${name}`,
        at,
        name,
        wanted: parsed(what, schemas.group, request),
      });
    },
    user: (name: string, request: UserRequest = {}): void => {
      const at = placeOf(builder.user);
      const what = `${at}: h.user ${name}`;
      parsed(what, accountName, name);
      const { authorizedKeys, password, ...rest } = parsed(what, schemas.user, request);
      const keys = authorizedKeys?.flatMap((text, index) =>
        publicKeys(text, `${what}: authorizedKeys ${String(index + 1)}`),
      );
      const wanted = {
        ...rest,
        ...present({ authorizedKeys: keys }),
        ...(password === undefined
          ? {}
          : { password: password === 'locked' ? password : secretText(password) }),
      };
      add({ kind: 'user', identity: `user ${name}`, at, name, wanted });
    },
    lines: (path: string, request: LinesRequest): Described => {
      const at = placeOf(builder.lines);
      const wanted = checked(at, path, 'lines', request);
      for (const each of wanted.present ?? [])
        if (wanted.absent?.includes(each) === true)
          throw new UsageError(`${at}: the line "${each}" of ${path} is both present and absent`);
      return addAt({ kind: 'lines', identity: path, at, path, wanted });
    },
    edit: (path: string, request: EditRequest): Described => {
      const at = placeOf(builder.edit);
      const { absent, ...given } = checked(at, path, 'edit', request);
      const where = `${at}: h.edit ${path}`;
      const [syntax, ...others] = syntaxes.filter((each) => given[each] !== undefined);
      if (syntax === undefined || others.length > 0)
        throw new UsageError(`${where}: name one syntax: yaml, json, toml or ini`, {
          remedy: "h.edit('/etc/app.yaml', { yaml: { server: { port: 80 } } })",
        });
      const { data, secret } = revealed(given[syntax], `${where}: ${syntax}`);
      if (!isRecord(data)) throw new UsageError(`${where}: ${syntax} must be an object`);
      const wanted = { syntax, secret, edits: editsOf(where, syntax, data, absent) };
      return addAt({ kind: 'edit', identity: path, at, path, wanted });
    },
    sysctl: (key: string, value: string | number, request: SysctlRequest = {}): Described => {
      const at = placeOf(builder.sysctl);
      const what = `${at}: h.sysctl ${key}`;
      const { file: path = '/etc/sysctl.d/80-bofh.conf' } = parsed(what, schemas.sysctl, request);
      const name = canonicalKey(parsed(what, parameterKey, key));
      const wanted = parsed(what, parameterValue, typeof value === 'number' ? String(value) : value);
      return addAt({ kind: 'sysctl', identity: `sysctl ${name}`, at, path, name, wanted });
    },
    hostname: (name: string): Described => {
      const at = placeOf(builder.hostname);
      parsed(`${at}: h.hostname ${name}`, hostName, name);
      // This key is the host name, so the resource is a host name.
      return addAt({ kind: 'hostname', identity: 'sysctl kernel.hostname', at, path: '/etc/hostname', name });
    },
    timezone: (name: string): Described => {
      const at = placeOf(builder.timezone);
      parsed(`${at}: h.timezone ${name}`, zoneName, name);
      return addAt({ kind: 'timezone', identity: 'timezone', at, path: '/etc/localtime', name });
    },
    locale: (name: string, ...others: readonly string[]): Described => {
      const at = placeOf(builder.locale);
      const wanted = parsed(`${at}: h.locale ${name}`, z.array(localeName), [name, ...others]);
      return addAt({ kind: 'locale', identity: 'locale', at, path: '/etc/default/locale', name, wanted });
    },
    kernelModule: (name: string, request: KernelModuleRequest = {}): Described => {
      const at = placeOf(builder.kernelModule);
      const what = `${at}: h.kernelModule ${name}`;
      const { parameters: wanted = {} } = parsed(what, kernelModuleRequest, request);
      const canonical = canonicalModule(parsed(what, moduleName, name));
      const path = `/etc/modules-load.d/${canonical}.conf`;
      return addAt({
        kind: 'kernel-module',
        identity: `kernel module ${canonical}`,
        at,
        path,
        name: canonical,
        wanted,
      });
    },
    cron: (name: string, request: CronRequest): Described => {
      const at = placeOf(builder.cron);
      const what = `${at}: h.cron ${name}`;
      const path = `/etc/cron.d/${parsed(what, cronName, name)}`;
      const wanted = parsed(what, cronRequest, request);
      // cron ignores a file that others can write.
      const owned = { owner: 0, group: 0, mode: 0o644, user: wanted.user };
      const content = Buffer.from(cronText(wanted));
      return addAt({ kind: 'file', identity: path, at, path, wanted: { ...owned, content, secret: false } });
    },
    script: (name: string, request: ScriptRequest): void => {
      const at = placeOf(builder.script);
      const what = `${at}: h.script ${name}`;
      parsed(what, scriptName, name);
      const wanted = parsed(what, schemas.script, request);
      add({ kind: 'script', identity: `script ${name}`, at, name, wanted });
    },
    release: (root: string, request: ReleaseRequest): Described => {
      const at = placeOf(builder.release);
      checkPath(at, root);
      if (isOdd(root)) throw new UsageError(`${at}: h.release ${shownName(root)}: must be UTF-8`);
      const asked = parsed(`${at}: h.release ${root}`, releaseRequest, request);
      const { releases, current, to, scripts } = releaseOf(root, asked);
      // Added only if nothing else describes the directory, for example with an owner.
      roots.push({ kind: 'directory', identity: root, at, path: root, wanted: {} });
      addAt({ kind: 'directory', identity: releases, at, path: releases, wanted: {} });
      const [create, ...later] = scripts.map((wanted): Resource => {
        return {
          kind: 'script',
          identity: `script ${wanted.name}`,
          at,
          name: wanted.name,
          wanted: wanted.request,
          ...present({ user: asked.user }),
        };
      });
      if (create !== undefined) add(create);
      const link = addAt({ kind: 'link', identity: current, at, path: current, to });
      later.forEach(add);
      return link;
    },
    service: (name: string, request: ServiceRequest): void => {
      const at = placeOf(builder.service);
      const given: unknown = name;
      const unit = typeof given === 'string' && !given.includes('.') ? `${given}.service` : given;
      const { success, data = '' } = unitName.safeParse(unit);
      if (!success)
        throw new UsageError(`${at}: h.service ${String(given)}: is not the name of a unit`, {
          remedy: 'name a service, socket, timer, path or target: nginx, backup.timer',
        });
      const { restartOn, reloadOn, ...rest } = parsed(`${at}: h.service ${data}`, schemas.service, request);
      const wanted = { ...rest, restartOn: pathsOf(restartOn), reloadOn: pathsOf(reloadOn) };
      add({ kind: 'service', identity: `service ${data}`, at, unit: data, wanted });
    },
    ensure: collecting(add),
  };
  await description.describe(builder, facts);
  for (const root of roots) if (!all.some(({ path }) => path === root.path)) all.push(root);
  for (const one of all)
    if (one.kind === 'service')
      for (const path of [...one.wanted.restartOn, ...one.wanted.reloadOn])
        if (!all.some((other) => other.path !== undefined && isAmong([path], other.path)))
          throw new UsageError(
            `${one.at}: ${one.unit} uses ${path}, but the description does not contain it`,
            {
              remedy: 'describe it, or correct the path',
            },
          );
  refuseAbsentOwners(all);
  return inOrder(await Promise.all(all.map(withContent)));
}

/**
 * Renders the template of a resource. Loads the library for templates only for a description that
 * has one.
 */
async function withContent(one: Resource): Promise<Resource> {
  if (one.kind !== 'file' || one.wanted.template === undefined) return one;
  const { template, ...wanted } = one.wanted;
  return { ...one, wanted: { ...wanted, content: Buffer.from(await rendered(template, one.at)) } };
}

/** `h.ensure`: each create method of each driver adds a resource. */
function collecting(add: (one: Resource) => Resource): HostBuilder['ensure'] {
  const drivers: Record<string, Record<string, unknown>> = {};
  for (const [name, keys] of Object.entries(namedBy)) {
    const [driver = '', method = ''] = name.split('.');
    const call = (args: unknown): Later<unknown> => {
      const at = placeOf(call);
      const result: { value?: readonly [unknown] } = {};
      const done = (value: unknown): void => void (result.value = [value]);
      const asked = typeof args === 'object' && args !== null ? new Map(Object.entries(args)) : undefined;
      // The arguments come from a function that runs later, so the name of the object is not known
      // yet.
      const named =
        asked === undefined
          ? at
          : keys.flatMap((key) => (asked.has(key) ? [String(asked.get(key))] : [])).join(' ');
      const path: unknown = name === 'mount.mount' ? asked?.get('path') : undefined;
      const value: Later<unknown> = () => {
        if (result.value !== undefined) return result.value[0];
        throw new UsageError(`${at}: ${name} has no value before its step has run`, {
          remedy: 'use it in a function: h.ensure.filesystem.create(() => ({ device: loop().device, … }))',
        });
      };
      const counts = add({
        ...{
          kind: 'ensure',
          identity: `${name} ${named}`,
          at,
          method: name as EnsureName,
          args,
          done,
          value,
        },
        ...(typeof path === 'string' ? { path } : {}),
      });
      return counts.kind === 'ensure' ? counts.value : value;
    };
    (drivers[driver] ??= {})[method] = call;
  }
  return drivers as unknown as HostBuilder['ensure'];
}

function checked<K extends keyof typeof schemas>(
  at: string,
  path: string,
  kind: K,
  request: unknown,
): z.output<(typeof schemas)[K]> {
  checkPath(at, path);
  const what = `${at}: h.${kind} ${path}`;
  const gone = isRecord(request) ? ['absent', 'ensure', 'state'].find((key) => key in request) : undefined;
  if (gone !== undefined && kind !== 'lines' && kind !== 'edit')
    throw new UsageError(
      `${what}: there is no option "${gone}"; if it must not exist: h.absent(${JSON.stringify(path)})`,
    );
  const given = parsed(what, schemas[kind], request) as z.output<(typeof schemas)[K]>;
  if ('acl' in given) refuseNarrowMask(what, given);
  return given;
}

function checkPath(at: string, path: string): void {
  const result = absolutePath.safeParse(path);
  if (!result.success)
    throw new UsageError(`${at}: ${path}: ${result.error.issues[0]?.message ?? 'is not a path'}`);
}

function contentOf(
  at: string,
  path: string,
  content: unknown,
  facts: Facts,
): Pick<WantedFile, 'content' | 'secret' | 'mode'> {
  const made: unknown =
    typeof content === 'function' ? (content as (facts: Facts) => unknown)(facts) : content;
  if (typeof made === 'string') return { content: Buffer.from(made, 'utf8'), secret: false };
  if (made instanceof Secret) return { content: made.reveal(), secret: true };
  if (made instanceof Uint8Array) return { content: made, secret: false };
  throw new UsageError(`${at}: the content of ${path} must be a text, bytes or a Secret, not ${typeof made}`);
}

/** Returns the text of a public key. */
function keyOf(what: string, at: string, key: unknown, facts: Facts): string {
  const made: unknown = typeof key === 'function' ? (key as (facts: Facts) => unknown)(facts) : key;
  const isPath = typeof made === 'string' && !made.includes('\n') && made !== '';
  const given = isPath ? textOf(templatePath(made, at, 'key'), at, 'key') : made;
  if (typeof given === 'string' && publicKey.test(given)) return `${given.trimEnd()}\n`;
  throw new UsageError(`${what}: its key is not an ASCII-armored public key`, {
    remedy: 'export it: gpg --armor --export KEY; or convert it: gpg --enarmor FILE',
  });
}

function pathsOf(all: readonly (Described | string)[] = []): readonly string[] {
  return all.map((each) => (typeof each === 'string' ? each : each.path));
}

/** Returns `FILE:LINE` of the caller of a method. */
function placeOf(method: (...args: never[]) => unknown): string {
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, method);
  const frame = here.stack?.split('\n')[1] ?? '';
  const { file, line: at } =
    /(?:file:\/\/)?(?<file>\/[^()]*?):(?<line>\d+):\d+\)?$/.exec(frame)?.groups ?? {};
  return file === undefined || at === undefined ? 'the description' : `${file}:${at}`;
}
