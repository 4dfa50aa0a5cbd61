/**
 * The part of Standard Schema v1 (standardschema.dev) that the engine uses, so that neither it nor the published
 * types name a schema library. zod's schemas have it.
 */
export interface Schema<T> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

export type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Returns the checked value, or throws the error that `fail` creates. */
export function check<T>(
  schema: Schema<T>,
  value: unknown,
  fail: (issues: readonly SchemaIssue[]) => Error,
): T {
  const result = schema['~standard'].validate(value);
  if (result instanceof Promise) throw new TypeError('a schema of an operation must not be asynchronous');
  if (result.issues === undefined) return result.value;
  throw fail(result.issues);
}
