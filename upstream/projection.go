package upstream

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Only returns a client that decodes of each record the keys that want accepts,
// and passes over the others: a contact has nearly thirty, and most callers
// look at a few. Ids and subdomains are always decoded. Records may have more
// fields set than were wanted, never fewer.
func (c *Client) Only(want func(key string) bool) *Client {
	only := *c
	only.want = want
	return &only
}

// columns are where the keys of a record are decoded to: the index of the field
// within the struct, as [reflect.Value.FieldByIndex] takes it.
type columns map[string][]int

var allColumns sync.Map // of columns, by the record's type

// columnsOf returns the columns of a record's type, by the json tags of its
// fields.
func columnsOf(t reflect.Type) columns {
	if known, ok := allColumns.Load(t); ok {
		return known.(columns)
	}
	all := make(columns)
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			all[name] = field.Index
		}
	}
	allColumns.Store(t, all)
	return all
}

// wanted returns the columns that are worth decoding.
func (all columns) wanted(want func(string) bool) columns {
	some := make(columns, len(all))
	for key, index := range all {
		if key == "id" || key == "subdomain" || strings.HasSuffix(key, "_id") || want(key) {
			some[key] = index
		}
	}
	return some
}

// errNotPlain says that an answer has not its usual shape. It is read again,
// with more patience.
var errNotPlain = errors.New("not a plain list")

// decodeOnly decodes a list of records, or a single one, of the usual shape; the
// keys that are not wanted are passed over. Any oddity is an error.
func decodeOnly[T any](body []byte, single bool, want func(string) bool) ([]*T, error) {
	some := columnsOf(reflect.TypeFor[T]()).wanted(want)
	dec := jsontext.NewDecoder(bytes.NewBuffer(body[:len(body):len(body)]), lenient)
	if single {
		row := new(T)
		if err := decodeRow(dec, reflect.ValueOf(row).Elem(), some); err != nil {
			return nil, err
		}
		return []*T{row}, ended(dec)
	}
	if dec.PeekKind() != '[' {
		return nil, errNotPlain
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	rows := make([]*T, 0, PageSize)
	for dec.PeekKind() != ']' {
		row := new(T)
		if err := decodeRow(dec, reflect.ValueOf(row).Elem(), some); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	return rows, ended(dec)
}

// ended reports an error if something follows.
func ended(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errNotPlain
	}
	return nil
}

func decodeRow(dec *jsontext.Decoder, row reflect.Value, some columns) error {
	if dec.PeekKind() != '{' {
		return errNotPlain
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		key, err := dec.ReadValue()
		if err != nil {
			return err
		}
		// A key with an escape in it is none of the API's.
		index, ok := some[string(key[1:len(key)-1])]
		if !ok {
			err = dec.SkipValue()
		} else {
			err = json.UnmarshalDecode(dec, row.FieldByIndex(index).Addr().Interface())
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}
