//! A trace's spans of one live request, read in place from OTLP bytes.

use smallvec::SmallVec;
use spanloom_span::proto::{ProtoError, Reader, Value as Wire};
use spanloom_span::view::{self, SpanField, SpanFields, ValueView};
use spanloom_span::{Batch, TraceGroup};
use spanloom_traceql::ast::{Attribute, Field, Intrinsic, Scope};
use spanloom_traceql::eval::{Fragment, Identity, ParentId, ReadError};
use spanloom_traceql::plan::FieldId;
use spanloom_traceql::value::Value;

/// Key and value of an attribute.
type Pair<'a> = (&'a [u8], ValueView<'a>);

/// The spans of one trace within one request.
pub struct LivePart<'a> {
    batch: &'a Batch,
    group: &'a TraceGroup,
    fields: &'a [Field],
    span: SpanView<'a>,
    resource: Owner<'a>,
    scope: Owner<'a>,
}

/// A span's fields; kept from one question to the next, since many are asked of one span.
#[derive(Default)]
struct SpanView<'a> {
    /// Number of the span plus one; 0 is none.
    number: u32,
    scope: u32,
    id: u64,
    parent: &'a [u8],
    name: &'a [u8],
    kind: i32,
    start: u64,
    end: u64,
    status: i32,
    message: &'a [u8],
    attributes: Vec<Pair<'a>>,
    events: Vec<&'a [u8]>,
    links: Vec<&'a [u8]>,
}

/// A resource or a scope.
#[derive(Default)]
struct Owner<'a> {
    /// Its number plus one; 0 is none.
    number: u32,
    name: &'a [u8],
    version: &'a [u8],
    attributes: Vec<Pair<'a>>,
}

fn failed(error: ProtoError) -> ReadError {
    ReadError(Box::new(error))
}

/// Value of an attribute: the first with the key counts, and one without a value is not there.
fn find<'a>(pairs: &[Pair<'a>], key: &[u8]) -> Option<Value<'a>> {
    let value = pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| Value::of_attribute(*value))?;
    (value != Value::Nil).then_some(value)
}

/// As [`find`], in the body of a message that has its attributes in field `number`.
fn find_in<'a>(body: &'a [u8], number: u32, key: &[u8]) -> Result<Option<Value<'a>>, ProtoError> {
    let mut reader = Reader::new(body);
    while let Some(field) = reader.next()? {
        if let (found, Wire::Bytes(pair)) = field
            && found == number
        {
            let (name, value) = view::key_value(pair)?;
            if name == key {
                let value = Value::of_attribute(value);
                return Ok((value != Value::Nil).then_some(value));
            }
        }
    }
    Ok(None)
}

/// Field of attributes in an `Event` and in a `Link`.
const EVENT_ATTRIBUTES: u32 = 3;
const LINK_ATTRIBUTES: u32 = 4;

impl<'a> SpanView<'a> {
    fn read(&mut self, body: &'a [u8]) -> Result<(), ProtoError> {
        let (mut attributes, mut events, mut links) = (
            std::mem::take(&mut self.attributes),
            std::mem::take(&mut self.events),
            std::mem::take(&mut self.links),
        );
        attributes.clear();
        events.clear();
        links.clear();
        *self = Self::default();
        let mut fields = SpanFields::new(body);
        while let Some(field) = fields.next()? {
            match field {
                SpanField::SpanId(id) => self.id = id.try_into().map(u64::from_be_bytes).unwrap_or_default(),
                SpanField::ParentSpanId(id) => self.parent = id,
                SpanField::Name(name) => self.name = name,
                SpanField::Kind(kind) => self.kind = kind,
                SpanField::Start(time) => self.start = time,
                SpanField::End(time) => self.end = time,
                SpanField::Attribute(pair) => attributes.push(view::key_value(pair)?),
                SpanField::Event(event) => events.push(event),
                SpanField::Link(link) => links.push(link),
                SpanField::Status(status) => (self.status, self.message) = view::status(status)?,
                _ => {}
            }
        }
        (self.attributes, self.events, self.links) = (attributes, events, links);
        Ok(())
    }

    fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    fn parent_id(&self) -> ParentId {
        match <[u8; 8]>::try_from(self.parent) {
            _ if self.parent.iter().all(|&byte| byte == 0) => ParentId::Root,
            Ok(id) => ParentId::Id(u64::from_be_bytes(id)),
            Err(_) => ParentId::Other,
        }
    }
}

impl<'a> Owner<'a> {
    fn read(&mut self, number: u32, body: &'a [u8], is_scope: bool) -> Result<(), ProtoError> {
        self.number = 0;
        self.attributes.clear();
        (self.name, self.version) = (&[], &[]);
        let mut reader = Reader::new(body);
        let pairs = if is_scope { 3 } else { 1 };
        while let Some(field) = reader.next()? {
            match field {
                (found, Wire::Bytes(pair)) if found == pairs => self.attributes.push(view::key_value(pair)?),
                (1, Wire::Bytes(name)) if is_scope => self.name = name,
                (2, Wire::Bytes(version)) if is_scope => self.version = version,
                _ => {}
            }
        }
        self.number = number + 1;
        Ok(())
    }
}

impl<'a> LivePart<'a> {
    /// The spans of a group of a batch, for the fields of a plan.
    pub fn new(batch: &'a Batch, group: &'a TraceGroup, fields: &'a [Field]) -> Self {
        let (span, resource, scope) = (SpanView::default(), Owner::default(), Owner::default());
        Self { batch, group, fields, span, resource, scope }
    }

    /// Whether its spans may overlap a time, both ends included.
    pub fn overlaps(&self, start: u64, end: u64) -> bool {
        self.group.start <= end && self.group.end >= start
    }

    /// Shows the names of the attributes that a span has, some of them more than once. An attribute without a value
    /// is none.
    pub fn names(&mut self, span: u32, see: &mut dyn FnMut(Scope, &[u8])) -> Result<(), ReadError> {
        self.load(span)?;
        self.load_resource()?;
        self.load_scope()?;
        let lists = [
            (Scope::Span, &self.span.attributes),
            (Scope::Resource, &self.resource.attributes),
            (Scope::Instrumentation, &self.scope.attributes),
        ];
        for (scope, pairs) in lists {
            let some = pairs.iter().filter(|(_, value)| *value != ValueView::Empty);
            some.for_each(|(key, _)| see(scope, key));
        }
        let owners = [
            (Scope::Event, EVENT_ATTRIBUTES, &self.span.events),
            (Scope::Link, LINK_ATTRIBUTES, &self.span.links),
        ];
        for (scope, number, bodies) in owners {
            for body in bodies {
                let mut reader = Reader::new(body);
                while let Some(field) = reader.next().map_err(failed)? {
                    if let (found, Wire::Bytes(pair)) = field
                        && found == number
                    {
                        let (key, value) = view::key_value(pair).map_err(failed)?;
                        if value != ValueView::Empty {
                            see(scope, key);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes a span the one that is read.
    fn load(&mut self, number: u32) -> Result<(), ReadError> {
        if self.span.number == number + 1 {
            return Ok(());
        }
        let slice = self.batch.group_spans(self.group).get(number as usize);
        let slice = slice.ok_or_else(|| ReadError("there is no such span".into()))?;
        self.span.read(self.batch.get(slice.body)).map_err(failed)?;
        (self.span.number, self.span.scope) = (number + 1, slice.scope);
        Ok(())
    }

    fn load_scope(&mut self) -> Result<(), ReadError> {
        let number = self.span.scope;
        if self.scope.number != number + 1 {
            let body = self.batch.get(self.batch.scopes()[number as usize].scope);
            self.scope.read(number, body, true).map_err(failed)?;
        }
        Ok(())
    }

    fn load_resource(&mut self) -> Result<(), ReadError> {
        let number = self.batch.scopes()[self.span.scope as usize].resource;
        if self.resource.number != number + 1 {
            let body = self.batch.get(self.batch.resources()[number as usize].resource);
            self.resource.read(number, body, false).map_err(failed)?;
        }
        Ok(())
    }

    /// Shows an attribute where one scope has it; says whether there was one.
    fn attribute(
        &mut self,
        scope: Scope,
        key: &[u8],
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<bool, ReadError> {
        let one = match scope {
            Scope::Span => find(&self.span.attributes, key),
            Scope::Resource => {
                self.load_resource()?;
                find(&self.resource.attributes, key)
            }
            Scope::Instrumentation => {
                self.load_scope()?;
                find(&self.scope.attributes, key)
            }
            Scope::Event => return see_each(&self.span.events, EVENT_ATTRIBUTES, key, see),
            Scope::Link => return see_each(&self.span.links, LINK_ATTRIBUTES, key, see),
        };
        one.map(see);
        Ok(one.is_some())
    }

    fn see_attribute(
        &mut self,
        attribute: &Attribute,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<(), ReadError> {
        const ORDER: [Scope; 5] =
            [Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation];
        let key = attribute.name.as_bytes();
        let found = match attribute.scope {
            Some(scope) => self.attribute(scope, key, see)?,
            None => {
                let mut found = false;
                for scope in ORDER {
                    found = found || self.attribute(scope, key, see)?;
                }
                found
            }
        };
        if !found {
            see(Value::Nil);
        }
        Ok(())
    }

    fn see_intrinsic(
        &mut self,
        intrinsic: Intrinsic,
        see: &mut dyn FnMut(Value<'_>),
    ) -> Result<(), ReadError> {
        let span = &self.span;
        match intrinsic {
            Intrinsic::Duration => see(Value::Duration(nanoseconds(span.duration()))),
            Intrinsic::Name => see(Value::Text(span.name)),
            Intrinsic::Status => see(Value::Status(span.status)),
            Intrinsic::StatusMessage => see(Value::Text(span.message)),
            Intrinsic::Kind => see(Value::Kind(span.kind)),
            Intrinsic::TraceId => see_hex(&self.group.id.0, see),
            Intrinsic::SpanId => see_hex(&span.id.to_be_bytes(), see),
            Intrinsic::ParentId if span.parent_id() == ParentId::Root => see(Value::Nil),
            Intrinsic::ParentId => see_hex(span.parent, see),
            Intrinsic::EventName => see_events(span, see, |event, _| Value::Text(event.0)).map_err(failed)?,
            Intrinsic::EventTimeSinceStart => {
                let since =
                    |event: (&'a [u8], u64), start: u64| Value::Duration(event.1.wrapping_sub(start) as i64);
                see_events(span, see, since).map_err(failed)?;
            }
            Intrinsic::LinkTraceId => see_links(span, 1, see).map_err(failed)?,
            Intrinsic::LinkSpanId => see_links(span, 2, see).map_err(failed)?,
            Intrinsic::InstrumentationName => {
                self.load_scope()?;
                see(Value::Text(self.scope.name));
            }
            Intrinsic::InstrumentationVersion => {
                self.load_scope()?;
                see(Value::Text(self.scope.version));
            }
            // Never asked for: the whole trace answers them.
            _ => see(Value::Nil),
        }
        Ok(())
    }
}

/// Nanoseconds as TraceQL counts them.
fn nanoseconds(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn see_each(
    bodies: &[&[u8]],
    number: u32,
    key: &[u8],
    see: &mut dyn FnMut(Value<'_>),
) -> Result<bool, ReadError> {
    let mut found = false;
    for body in bodies {
        if let Some(value) = find_in(body, number, key).map_err(failed)? {
            found = true;
            see(value);
        }
    }
    Ok(found)
}

fn see_events<'a>(
    span: &SpanView<'a>,
    see: &mut dyn FnMut(Value<'_>),
    value: impl Fn((&'a [u8], u64), u64) -> Value<'a>,
) -> Result<(), ProtoError> {
    for body in &span.events {
        let mut event: (&[u8], u64) = (&[], 0);
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next()? {
            match field {
                (1, Wire::Fixed64(time)) => event.1 = time,
                (2, Wire::Bytes(name)) => event.0 = name,
                _ => {}
            }
        }
        see(value(event, span.start));
    }
    if span.events.is_empty() {
        see(Value::Nil);
    }
    Ok(())
}

fn see_links(span: &SpanView<'_>, number: u32, see: &mut dyn FnMut(Value<'_>)) -> Result<(), ProtoError> {
    for body in &span.links {
        let mut id: &[u8] = &[];
        let mut reader = Reader::new(body);
        while let Some(field) = reader.next()? {
            if let (found, Wire::Bytes(bytes)) = field
                && found == number
            {
                id = bytes;
            }
        }
        see_hex(id, see);
    }
    if span.links.is_empty() {
        see(Value::Nil);
    }
    Ok(())
}

/// Shows an id as lower-case hexadecimal digits.
fn see_hex(id: &[u8], see: &mut dyn FnMut(Value<'_>)) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    let text: SmallVec<[u8; 32]> = id.iter().flat_map(digits).collect();
    see(Value::Text(&text));
}

impl Fragment for LivePart<'_> {
    fn len(&self) -> u32 {
        self.group.count
    }

    fn identities(&mut self, out: &mut Vec<Identity>) -> Result<(), ReadError> {
        for number in 0..self.group.count {
            self.load(number)?;
            let span = &self.span;
            let (parent, duration) = (span.parent_id(), span.duration());
            out.push(Identity { id: span.id, kind: span.kind, parent, start: span.start, duration });
        }
        Ok(())
    }

    fn see(&mut self, span: u32, field: FieldId, see: &mut dyn FnMut(Value<'_>)) -> Result<(), ReadError> {
        self.load(span)?;
        let fields = self.fields;
        match fields.get(usize::from(field.0)) {
            Some(Field::Attribute(attribute)) => self.see_attribute(attribute, see),
            Some(Field::Intrinsic(intrinsic)) => self.see_intrinsic(*intrinsic, see),
            None => {
                see(Value::Nil);
                Ok(())
            }
        }
    }

    fn attributes(
        &mut self,
        span: u32,
        see: &mut dyn FnMut(Scope, &[u8], Value<'_>),
    ) -> Result<(), ReadError> {
        self.load(span)?;
        self.load_resource()?;
        let lists = [(Scope::Span, &self.span.attributes), (Scope::Resource, &self.resource.attributes)];
        for (scope, pairs) in lists {
            for (at, (key, value)) in pairs.iter().enumerate() {
                if pairs[..at].iter().all(|(before, _)| before != key) {
                    see(scope, key, Value::of_attribute(*value));
                }
            }
        }
        Ok(())
    }

    fn name(&mut self, span: u32, see: &mut dyn FnMut(&[u8])) -> Result<(), ReadError> {
        self.load(span)?;
        see(self.span.name);
        Ok(())
    }

    fn service(&mut self, span: u32, see: &mut dyn FnMut(&[u8])) -> Result<(), ReadError> {
        self.load(span)?;
        self.load_resource()?;
        match find(&self.resource.attributes, b"service.name") {
            Some(Value::Text(service)) => see(service),
            _ => see(&[]),
        }
        Ok(())
    }

    fn services(
        &mut self,
        keep: Option<&[bool]>,
        see: &mut dyn FnMut(&[u8], u64, u64),
    ) -> Result<(), ReadError> {
        for number in 0..self.group.count {
            if keep.is_none_or(|keep| keep.get(number as usize).copied().unwrap_or(false)) {
                self.load(number)?;
                let errors = u64::from(self.span.status == 2);
                self.service(number, &mut |service| see(service, 1, errors))?;
            }
        }
        Ok(())
    }
}
