// Generates random operations for the schema. Equal seeds generate equal operations.
import { GraphQLError, getNamedType, getNullableType, isAbstractType, isCompositeType, isEnumType, isInputObjectType, isListType, isNonNullType, print, valueFromASTUntyped } from "graphql";

import { schema } from "./funnelgraph.mjs";

/** A random number generator (mulberry32). */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  int(n) {
    return Math.floor(this.next() * n);
  }
  chance(p) {
    return this.next() < p;
  }
  pick(list) {
    return list[this.int(list.length)];
  }
}

// Parses the custom scalars as the server does.
schema.getType("DateTime").parseValue = (value) => {
  if (typeof value !== "string" || Number.isNaN(Date.parse(value))) throw new GraphQLError("no DateTime");
  return value;
};
schema.getType("DateTime").parseLiteral = (node) => schema.getType("DateTime").parseValue(node.kind === "EnumValue" ? null : valueFromASTUntyped(node));

const decimal = (value, shown) => {
  const isText = typeof value === "string" && /^-?(0|[1-9]\d*)(\.\d+)?([eE]-?\d+)?$/.test(value);
  if (typeof value !== "number" && !isText) throw new GraphQLError(`Decimal cannot represent a non decimal value: ${shown}`);
  return value;
};
schema.getType("Decimal").parseValue = (value) => decimal(value, JSON.stringify(value));
schema.getType("Decimal").parseLiteral = (node) => decimal(node.kind === "EnumValue" ? null : valueFromASTUntyped(node), print(node));

const names = Object.keys(schema.getTypeMap()).filter((name) => !name.startsWith("__"));
const composites = names.filter((name) => isCompositeType(schema.getType(name)));

/** Values that may have the wrong type. */
const strangers = ["1", "-1", "0", "1.0", "1.5", "1e1", "2147483647", "2147483648", "-2147483649", '"x"', '"1"', '"ASC"', '"true"', '""', "true", "false", "null", "[]", "{}", "[1]", '["1"]', "[null]", "[[1]]", '{ a: 1 }'];
const strangeLiterals = [...strangers, "ASC", "asc", '"""\n  a\n b"""', "12345678901234567890", "$missing"];

/**
 * Writes one operation. `wild` is the probability of a mistake at each place of the
 * document, and `wildValues` at each place of the variables. `args` writes the arguments
 * of a field, and `roots` are the possible fields of Query.
 */
export class Writer {
  constructor(random, { wild = 0, wildValues = 0, args, roots, depth = 4, variables = true } = {}) {
    Object.assign(this, { random, wild, wildValues, args, roots, depth, withVariables: variables });
    this.fragments = [];
    this.variables = new Map(); // by name: the type, the default and the value
  }

  wrong() {
    return this.random.chance(this.wild);
  }

  /** Returns a document, and the values of its variables as JSON text. */
  operation(kind = "query") {
    const root = kind === "query" ? schema.getQueryType() : schema.getMutationType();
    const set = this.selection(root, this.depth);
    if (this.wrong()) this.variables.set("unused", { type: "Int", value: "1" });
    const defined = [...this.variables]
      .filter(() => !this.wrong())
      .map(([name, v]) => `$${name}: ${v.type}${v.default === undefined ? "" : ` = ${v.default}`}`);
    const head = defined.length > 0 ? `${kind} Random(${defined.join(", ")})` : `${kind} Random`;
    const fragments = this.fragments.map(({ name, on, text }) => `fragment ${name} on ${on} ${text}`);
    const values = [...this.variables].filter(([, v]) => v.value !== undefined).map(([name, v]) => `${JSON.stringify(name)}:${v.value}`);
    return { document: [`${head} ${set}`, ...fragments].join("\n"), variables: `{${values.join(",")}}` };
  }

  selection(type, depth) {
    const parts = [];
    const fields = type.getFields ? Object.values(type.getFields()).filter((f) => depth > 1 || !isCompositeType(getNamedType(f.type))) : [];
    const chosen = type === schema.getQueryType() && this.roots ? fields.filter((f) => this.roots.includes(f.name)) : fields;
    for (let n = 1 + this.random.int(4); n > 0; n--) {
      const what = this.random.next();
      if (what < 0.7 && chosen.length > 0) parts.push(this.field(this.random.pick(chosen), depth));
      else if (what < 0.78) parts.push("__typename" + this.conditions());
      else if (what < 0.9) {
        const on = this.random.chance(0.8) ? this.condition(type) : undefined;
        parts.push(`...${on ? ` on ${on.name}` : ""}${this.conditions()} ${this.selection(on ?? type, depth)}`);
      } else if (depth > 1) parts.push(this.spread(type, depth));
    }
    if (this.wrong()) parts.push(this.random.pick(["nothing", "id { id }", "...Nowhere", "__typename: id", "id(a: 1)", "... on String { a }", "...on Nope { id }", "id @nope", "id @skip", "rawId @skip(if: true) @skip(if: true)", "...on ContactFilter { ids }"]));
    return `{ ${parts.length > 0 ? parts.join(" ") : "__typename"} }`;
  }

  // Returns a type condition for a fragment in a selection set of the type.
  condition(type) {
    if (this.wrong()) return schema.getType(this.random.pick(composites));
    if (isAbstractType(type) && this.random.chance(0.7)) return this.random.pick(schema.getPossibleTypes(type));
    return this.random.chance(0.2) ? this.random.pick([...(type.getInterfaces?.() ?? []), type]) : type;
  }

  spread(type, depth) {
    const near = this.fragments.filter((f) => f.on === type.name && f.text);
    if (near.length > 0 && this.random.chance(0.4)) return `...${this.random.pick(near).name}${this.conditions()}`;
    const on = this.condition(type);
    const fragment = { name: `F${this.fragments.length}`, on: on.name, text: "" };
    this.fragments.push(fragment);
    fragment.text = this.selection(on, depth - 1);
    if (this.wrong()) fragment.text = fragment.text.replace("{", `{ ...${fragment.name}`);
    return `...${fragment.name}${this.conditions()}`;
  }

  field(field, depth) {
    const type = getNamedType(field.type);
    const alias = this.random.chance(0.25) ? `${this.random.pick(["a", "b", "c", "id", "name"])}${this.random.chance(0.5) ? depth : ""}: ` : "";
    let set = isCompositeType(type) ? " " + this.selection(type, depth - 1) : "";
    if (this.wrong()) set = set ? "" : " { id }";
    return `${alias}${field.name}${this.arguments(field)}${this.conditions()}${set}`;
  }

  arguments(field) {
    const written = this.args ? this.args(field, this) : undefined;
    if (written !== undefined) return written;
    const all = [];
    for (const arg of field.args) {
      if (!(isNonNullType(arg.type) && arg.defaultValue === undefined) && !this.random.chance(0.3)) continue;
      if (this.wrong()) continue;
      all.push(`${arg.name}: ${this.value(arg.type)}`);
    }
    if (this.wrong()) all.push(this.random.pick(["nope: 1", ...all]));
    return all.length > 0 ? `(${all.join(", ")})` : "";
  }

  conditions() {
    if (!this.random.chance(0.08)) return "";
    const name = this.random.pick(["skip", "include"]);
    return ` @${name}(if: ${this.value(schema.getDirective(name).args[0].type)})`;
  }

  /** Returns a value of a type, as a literal or a variable. */
  value(type) {
    return this.withVariables && this.random.chance(0.4) ? this.variable(type) : this.literal(type);
  }

  variable(type) {
    const fits = [...this.variables].filter(([, v]) => v.type === String(type));
    if (fits.length > 0 && this.random.chance(0.4)) return `$${this.random.pick(fits)[0]}`;
    const name = `v${this.variables.size}`;
    const v = { type: String(type) };
    if (isNonNullType(type) && this.random.chance(0.3)) v.type = String(type.ofType); // nullable, so it needs a default
    if (v.type !== String(type) ? !this.wrong() : this.random.chance(0.2)) v.default = this.literal(getNullableType(type), 0);
    if (this.wrong()) v.type = this.random.pick([...names, `[${v.type}]`, `${v.type}!`.replace("!!", "!")]);
    if (!(v.default !== undefined || !isNonNullType(type)) || this.random.chance(0.85)) v.value = this.json(type);
    if (this.random.chance(this.wildValues)) v.value = this.random.pick([undefined, "null"]);
    if (v.default !== undefined && this.random.chance(0.2)) v.value = "null";
    this.variables.set(name, v);
    return `$${name}`;
  }

  literal(type, variables = 0.15) {
    if (this.wrong()) return this.random.pick(strangeLiterals);
    if (isNonNullType(type)) return this.literal(type.ofType, variables);
    const inner = (t) => (this.withVariables && this.random.chance(variables) ? this.variable(t) : this.literal(t, variables));
    if (isListType(type)) return this.random.chance(0.2) ? inner(type.ofType) : `[${Array.from({ length: this.random.int(3) }, () => inner(type.ofType)).join(", ")}]`;
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter((f) => (isNonNullType(f.type) && f.defaultValue === undefined ? !this.wrong() : this.random.chance(0.2)));
      const all = fields.map((f) => `${f.name}: ${inner(f.type)}`);
      if (this.wrong()) all.push(this.random.pick(["nope: 1", ...all]));
      return `{ ${all.join(", ")} }`;
    }
    if (isEnumType(type)) return this.random.pick(type.getValues()).name;
    return this.random.pick({ Int: ["1", "2", "3"], Float: ["1", "1.5"], Boolean: ["true", "false"], ID: ['"101"', "101", '"x"'], String: ['"a"', '"1"', '"""a"""'], Decimal: ['"12.50"', "7", "1.5"] }[type.name] ?? ['"2025-01-31T09:30:00.000Z"']);
  }

  /** Returns a value of a type as JSON text. */
  json(type) {
    if (this.random.chance(this.wildValues)) return this.random.pick(strangers).replace("a:", '"a":');
    if (isNonNullType(type)) return this.json(type.ofType);
    if (isListType(type)) return this.random.chance(0.2) ? this.json(type.ofType) : `[${Array.from({ length: this.random.int(3) }, () => this.json(type.ofType)).join(",")}]`;
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter((f) => (isNonNullType(f.type) && f.defaultValue === undefined ? !this.random.chance(this.wildValues) : this.random.chance(0.2)));
      const all = fields.map((f) => `"${f.name}":${this.json(f.type)}`);
      if (this.random.chance(this.wildValues)) all.push(this.random.pick(['"nope":1', '"__typename":"X"']));
      return `{${all.join(",")}}`;
    }
    if (isEnumType(type)) return JSON.stringify(this.random.pick(type.getValues()).name);
    return this.random.pick({ Int: ["1", "2.0", "3e0"], Float: ["1", "1.5"], Boolean: ["true", "false"], ID: ['"101"', "101", "101.0", '"x"'], String: ['"a"', '"1"'], Decimal: ['"12.50"', "7", "1.5"] }[type.name] ?? ['"2025-01-31T09:30:00.000Z"']);
  }
}

/** Removes, repeats, replaces or swaps one token of a document, which mostly breaks it. */
export function disturbed(random, document) {
  const tokens = document.match(/"""[^]*?"""|"[^"\n]*"|\.\.\.|[\w$@]+|\S/g);
  const at = random.int(tokens.length);
  switch (random.int(4)) {
    case 0:
      tokens.splice(at, 1);
      break;
    case 1:
      tokens.splice(at, 0, tokens[at]);
      break;
    case 2:
      tokens[at] = random.pick(tokens);
      break;
    default: {
      const other = random.int(tokens.length);
      [tokens[at], tokens[other]] = [tokens[other], tokens[at]];
    }
  }
  return tokens.join(" ");
}
