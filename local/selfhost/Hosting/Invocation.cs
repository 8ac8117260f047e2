using System.Collections;
using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Context.Features;

namespace Payments.SelfHost.Hosting;

/// <summary>One run of a function. What few functions look at is made only when it is looked at.</summary>
internal abstract class Invocation(FunctionDescriptor function, CancellationToken cancellation)
    : FunctionContext, IFunctionInputBindingFeature, IInvocationFeatures
{
    public const string HttpContextKey = "HttpRequestContext";

    private FunctionInputBindingResult? _arguments;
    private Dictionary<Type, object>? _features;
    private IDictionary<object, object>? _items;
    private BindingContext? _bindingContext;
    private TraceContext? _traceContext;
    private InvocationResult? _result;
    private string? _id;

    public FunctionDescriptor Function => function;

    public object? ReturnValue { get; set; }

    /// <summary>Set while and after the HTTP step of the pipeline: middleware in front of it sees no request.</summary>
    public virtual HttpContext? HttpContext => null;

    public override string InvocationId => _id ??= Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString();

    public override string FunctionId => function.Definition.Id;

    public override FunctionDefinition FunctionDefinition => function.Definition;

    public override RetryContext RetryContext => null!;

    public override CancellationToken CancellationToken => cancellation;

    public override BindingContext BindingContext => _bindingContext ??= new LazyBindingContext(this);

    public override TraceContext TraceContext => _traceContext ??= CreateTraceContext();

    public override IInvocationFeatures Features => this;

    protected bool ItemsMade => _items is not null;

    public override IDictionary<object, object> Items
    {
        get => _items ??= CreateItems();
        set => _items = value;
    }

    public InvocationResult Result => _result ??= new LiveResult(this);

    public static Invocation Of(FunctionContext context) =>
        context as Invocation ?? throw new InvalidOperationException("The function context was not made by this host.");

    /// <summary>What the trigger parameter is converted from.</summary>
    public abstract object? TriggerInput { get; }

    /// <summary>Finds a value that the trigger offers to parameters of that name.</summary>
    public abstract bool TryGetTriggerData(string name, out object? value);

    protected abstract IReadOnlyDictionary<string, object?> CreateBindingData();

    protected virtual TraceContext CreateTraceContext() => new KnownTraceContext(Activity.Current?.Id ?? "", Activity.Current?.TraceStateString ?? "");

    protected virtual IDictionary<object, object> CreateItems() => new Dictionary<object, object>();

    public ValueTask<FunctionInputBindingResult> BindFunctionInputAsync(FunctionContext context) =>
        _arguments is { } bound ? ValueTask.FromResult(bound) : BindAsync();

    private async ValueTask<FunctionInputBindingResult> BindAsync()
    {
        var binders = function.Binders;
        var values = new object?[binders.Length];
        for (var i = 0; i < binders.Length; i++)
            values[i] = await binders[i](this);
        return _arguments = new FunctionInputBindingResult(values);
    }

    void IInvocationFeatures.Set<T>(T instance)
    {
        _features ??= [];
        if (instance is null)
            _features.Remove(typeof(T));
        else
            _features[typeof(T)] = instance;
    }

    T? IInvocationFeatures.Get<T>()
        where T : default
    {
        if (_features is not null && _features.TryGetValue(typeof(T), out var feature))
            return (T)feature;
        return typeof(T) == typeof(IFunctionInputBindingFeature) ? (T)(object)this : default;
    }

    IEnumerator<KeyValuePair<Type, object>> IEnumerable<KeyValuePair<Type, object>>.GetEnumerator() => Enumerate().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => Enumerate().GetEnumerator();

    private IEnumerable<KeyValuePair<Type, object>> Enumerate()
    {
        IEnumerable<KeyValuePair<Type, object>> set = _features ?? [];
        return _features?.ContainsKey(typeof(IFunctionInputBindingFeature)) == true
            ? set
            : set.Append(new(typeof(IFunctionInputBindingFeature), this));
    }

    private sealed class LiveResult(Invocation invocation) : InvocationResult
    {
        public override object? Value
        {
            get => invocation.ReturnValue;
            set => invocation.ReturnValue = value;
        }
    }

    private sealed class LazyBindingContext(Invocation invocation) : BindingContext
    {
        private IReadOnlyDictionary<string, object?>? _data;

        public override IReadOnlyDictionary<string, object?> BindingData => _data ??= invocation.CreateBindingData();
    }
}

internal sealed class TypedInvocationResult<T> : InvocationResult<T>
{
    private readonly Invocation _invocation;

    public TypedInvocationResult(Invocation invocation)
    {
        _invocation = invocation;
        if (invocation.ReturnValue is not (null or T))
            throw new InvalidOperationException($"The function returned a {invocation.ReturnValue.GetType()}, not a {typeof(T)}.");
    }

    public override T? Value
    {
        get => (T?)_invocation.ReturnValue;
        set => _invocation.ReturnValue = value;
    }
}

internal sealed class KnownTraceContext(string traceParent, string traceState) : TraceContext
{
    public override string TraceParent => traceParent;

    public override string TraceState => traceState;
}

/// <summary>A run that something other than a request started, in a scope that its listener made.</summary>
internal sealed class EventInvocation(
    FunctionDescriptor function,
    IServiceProvider services,
    object? input,
    IReadOnlyDictionary<string, object?> bindingData,
    CancellationToken cancellation,
    RetryContext? retry = null,
    TraceContext? trace = null) : Invocation(function, cancellation)
{
    public override IServiceProvider InstanceServices { get; set; } = services;

    public override object? TriggerInput => input;

    public override RetryContext RetryContext => retry!;

    public override bool TryGetTriggerData(string name, out object? value) => bindingData.TryGetValue(name, out value);

    protected override IReadOnlyDictionary<string, object?> CreateBindingData() => bindingData;

    protected override TraceContext CreateTraceContext() => trace ?? base.CreateTraceContext();
}

internal sealed class Attempt(int retryCount, int maxRetryCount) : RetryContext
{
    public override int RetryCount => retryCount;

    public override int MaxRetryCount => maxRetryCount;
}
