// Writes zod.json: JSON Schemas as zod 3 (by zod-to-json-schema), zod 4 (z.toJSONSchema) and OpenAI's
// helper for strict mode (of zod 4, and of zod 3) write them, one for each type of field. Types that
// a helper refuses are left out. To run it again, in an empty folder:
//   npm install zod3@npm:zod@3.25.76 zod@4.6.7 zod-to-json-schema@3.25.2 openai@6.49.0
//   cp PATH/TO/make_zod.mjs . && node make_zod.mjs > PATH/TO/zod.json
import { z as z4 } from "zod";
import { z as z3 } from "zod3";
import { zodToJsonSchema } from "zod-to-json-schema";
import { zodResponseFormat } from "openai/helpers/zod";

const common = (z) => ({
  string: z.string(),
  min: z.string().min(3),
  max: z.string().max(5),
  min_max: z.string().min(1).max(20),
  length: z.string().length(4),
  nonempty: z.string().nonempty(),
  email: z.string().email(),
  url: z.string().url(),
  uuid: z.string().uuid(),
  cuid: z.string().cuid(),
  cuid2: z.string().cuid2(),
  ulid: z.string().ulid(),
  nanoid: z.string().nanoid(),
  emoji: z.string().emoji(),
  base64: z.string().base64(),
  datetime: z.string().datetime(),
  datetime_offset: z.string().datetime({ offset: true }),
  datetime_local: z.string().datetime({ local: true }),
  date: z.string().date(),
  time: z.string().time(),
  duration: z.string().duration(),
  regex: z.string().regex(/^[A-Z]{2}-\d{4}$/),
  regex_open: z.string().regex(/^ORD-/),
  regex_inside: z.string().regex(/\d{3}/),
  regex_word: z.string().regex(/^\w+$/),
  regex_not_quote: z.string().regex(/^[^a]+$/),
  regex_ahead: z.string().regex(/^(?!no)[a-z]+$/),
  regex_max: z.string().regex(/^[a-z]+$/).max(8),
  regex_case: z.string().regex(/^yes|no$/i),
  starts_with: z.string().startsWith("https://"),
  ends_with: z.string().endsWith(".com"),
  includes: z.string().includes("@"),
  starts_and_ends: z.string().startsWith("a").endsWith("z"),
  starts_max: z.string().startsWith("a").max(5),
  trim: z.string().trim(),
  lower: z.string().toLowerCase(),
  number: z.number(),
  integer: z.number().int(),
  positive: z.number().positive(),
  nonnegative: z.number().nonnegative(),
  negative: z.number().negative(),
  number_range: z.number().min(0).max(1),
  number_fraction: z.number().min(0.5).max(99.75),
  integer_range: z.number().int().min(1).max(5),
  integer_positive: z.number().int().positive(),
  multiple: z.number().multipleOf(0.01),
  multiple_integer: z.number().int().multipleOf(5),
  finite: z.number().finite(),
  safe: z.number().safe(),
  boolean: z.boolean(),
  null: z.null(),
  any: z.any(),
  unknown: z.unknown(),
  literal: z.literal("a"),
  literal_number: z.literal(0.1),
  literal_true: z.literal(true),
  enum: z.enum(["red", "green", "blue"]),
  enum_hard: z.enum(['a "b"', "c\\d", "e\nf", "ü"]),
  native_enum: z.nativeEnum({ One: 1, Two: 2 }),
  union: z.union([z.string(), z.number()]),
  union_literals: z.union([z.literal("a"), z.literal(1), z.literal(0.7)]),
  union_objects: z.union([z.object({ a: z.string() }), z.object({ b: z.number() })]),
  discriminated: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("a"), size: z.number() }),
    z.object({ kind: z.literal("b"), name: z.string().min(1) }),
  ]),
  intersection: z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
  nullable: z.string().nullable(),
  optional: z.string().optional(),
  nullish: z.string().nullish(),
  nullable_number: z.number().int().nullable(),
  nullable_enum: z.enum(["a", "b"]).nullable(),
  default: z.string().default("x"),
  described: z.string().describe("what it is"),
  array: z.array(z.string()),
  array_min: z.array(z.string()).min(1),
  array_bounds: z.array(z.number().int()).min(1).max(3),
  array_length: z.array(z.boolean()).length(2),
  array_nonempty: z.array(z.string()).nonempty(),
  array_objects: z.array(z.object({ a: z.string(), b: z.number().optional() })),
  tuple: z.tuple([z.string(), z.number()]),
  tuple_rest: z.tuple([z.string()]).rest(z.number()),
  object: z.object({ a: z.string(), b: z.number().optional() }),
  object_strict: z.object({ a: z.string() }).strict(),
  object_loose: z.object({ a: z.string() }).passthrough(),
  object_catchall: z.object({ a: z.string() }).catchall(z.number()),
  object_partial: z.object({ a: z.string(), b: z.number() }).partial(),
  record: z.record(z.string(), z.number()),
  record_enum_values: z.record(z.string(), z.enum(["a", "b"])),
  readonly: z.string().readonly(),
  branded: z.string().brand("id"),
  recursive: recursive(z),
});

function recursive(z) {
  const node = z.object({ name: z.string(), children: z.lazy(() => z.array(node)) });
  return node;
}

const of3 = (z) => ({
  bigint: z.bigint(), date_object: z.date(), set: z.set(z.string()),
  ip: z.string().ip(), ip4: z.string().ip({ version: "v4" }), ip6: z.string().ip({ version: "v6" }),
  map: z.map(z.string(), z.number()), record_regex: z.record(z.string().regex(/^[a-z]+$/), z.number()),
  record_enum: z.record(z.enum(["a", "b"]), z.number()), and: z.object({ a: z.string() }).and(z.object({ b: z.string().max(3) })),
  cidr: z.string().cidr(), jwt: z.string().jwt(), base64url: z.string().base64url(),
});

const of4 = (z) => ({
  iso_date: z.iso.date(), iso_datetime: z.iso.datetime(), iso_time: z.iso.time(), iso_duration: z.iso.duration(),
  iso_datetime_offset: z.iso.datetime({ offset: true }), iso_datetime_local: z.iso.datetime({ local: true }),
  uuid4: z.uuidv4(), guid: z.guid(), top_email: z.email(), top_url: z.url(), ipv4: z.ipv4(), ipv6: z.ipv6(),
  cidrv4: z.cidrv4(), cidrv6: z.cidrv6(), base64url: z.base64url(), e164: z.e164(), jwt: z.jwt(), ksuid: z.ksuid(), xid: z.xid(),
  hex: z.hex(), hostname: z.hostname(), lowercase: z.string().lowercase(), uppercase: z.string().uppercase(),
  int: z.int(), int32: z.int32(), uint32: z.uint32(), float32: z.float32(), float64: z.float64(),
  template: z.templateLiteral(["id-", z.number()]), string_bool_in: z.enum(["true", "false"]),
  strict_object: z.strictObject({ a: z.string() }), loose_object: z.looseObject({ a: z.string() }),
  record_enum: z.record(z.enum(["a", "b"]), z.number()), partial_record: z.partialRecord(z.enum(["a", "b"]), z.number()),
  record_regex: z.record(z.string().regex(/^[a-z]+$/), z.number()), json: z.json(), http_url: z.httpUrl ? z.httpUrl() : z.url(),
  file_name: z.string().regex(/^[^\\/:*?"<>|]+$/), mime: z.string().regex(/^[a-z]+\/[a-z0-9.+-]+$/i),
  and: z.object({ a: z.string() }).and(z.object({ b: z.string().max(3) })),
  literal_list: z.literal(["a", "b", 3, null]),
});

const made = {};
function add(maker, name, make) {
  try { made[`${maker} ${name}`] = make(); } catch (error) { console.error(maker, name, String(error).split("\n")[0]); }
}
const build = (f) => { try { return f(); } catch (error) { console.error(String(error)); return {}; } };
for (const [name, type] of Object.entries(build(() => ({ ...common(z3), ...of3(z3) })))) {
  add("zod3", name, () => zodToJsonSchema(z3.object({ value: type })));
  if (!["optional", "nullish", "any", "unknown", "null"].includes(name))
    add("openai3", name, () => zodResponseFormat(z3.object({ value: type }), "answer").json_schema.schema);
}
for (const [name, type] of Object.entries(build(() => ({ ...common(z4), ...of4(z4) })))) {
  add("zod4", name, () => z4.toJSONSchema(z4.object({ value: type })));
  if (!["optional", "nullish", "any", "unknown", "null"].includes(name))
    add("openai", name, () => zodResponseFormat(z4.object({ value: type }), "answer").json_schema.schema);
}
console.log("{\n" + Object.entries(made).map(([n, s]) => JSON.stringify(n) + ": " + JSON.stringify(s)).join(",\n") + "\n}");
