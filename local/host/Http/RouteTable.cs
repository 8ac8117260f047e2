using System.Collections.Frozen;
using FunctionsHost.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.AspNetCore.Routing.Template;

namespace FunctionsHost.Http;

/// <summary>
/// Finds the function of a request as Microsoft's host does: routes are tried in alphabetical order of the functions'
/// names and the first that matches is taken. A literal segment has no precedence over a parameter.
/// </summary>
internal sealed class RouteTable
{
    private readonly FunctionRoute[] _routes;
    private readonly Node _root = new();
    private readonly int _words;

    /// <exception cref="InvalidOperationException">Two routes cannot both be served: the message names their functions.</exception>
    public RouteTable(IEnumerable<Function> functions, string prefix, IServiceProvider services)
    {
        var constraints = services.GetService(typeof(IInlineConstraintResolver)) as IInlineConstraintResolver
            ?? throw new InvalidOperationException("Routing is not registered.");
        _routes =
        [
            .. functions.OrderBy(function => function.Name, StringComparer.OrdinalIgnoreCase)
                .Select(function => new FunctionRoute(function, prefix, constraints)),
        ];
        RouteShadows.Refuse(_routes);
        _words = (_routes.Length + 63) / 64;
        for (var i = 0; i < _routes.Length; i++)
        {
            foreach (var shape in _routes[i].Shapes)
                Insert(shape, i);
        }
    }

    public IReadOnlyList<FunctionRoute> Routes => _routes;

    /// <summary>The route that serves a request; null for 404.</summary>
    public FunctionRoute? Match(HttpContext context, RouteValueDictionary values)
    {
        var path = context.Request.Path;
        Span<ulong> candidates = stackalloc ulong[_words];
        candidates.Clear();
        Collect(_root, path.HasValue ? path.Value.AsSpan(1) : [], candidates);
        var method = context.Request.Method;
        for (var word = 0; word < candidates.Length; word++)
        {
            for (var bits = candidates[word]; bits != 0; bits &= bits - 1)
            {
                var route = _routes[(word * 64) + System.Numerics.BitOperations.TrailingZeroCount(bits)];
                if (route.Accepts(method) && route.TryMatch(context, values))
                    return route;
            }
        }
        return null;
    }

    private static void Collect(Node node, ReadOnlySpan<char> rest, Span<ulong> candidates)
    {
        node.CatchAll.MarkIn(candidates);
        // An empty segment is the end of the path, as after a trailing slash.
        if (rest.IsEmpty)
        {
            node.End.MarkIn(candidates);
            return;
        }
        var slash = rest.IndexOf('/');
        var segment = slash < 0 ? rest : rest[..slash];
        rest = slash < 0 ? [] : rest[(slash + 1)..];
        if (node.Literals.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(segment, out var literal))
            Collect(literal, rest, candidates);
        if (node.Parameter is { } parameter)
            Collect(parameter, rest, candidates);
    }

    private void Insert(RouteShape shape, int route)
    {
        var node = _root;
        foreach (var segment in shape.Segments)
        {
            if (segment.IsCatchAll)
            {
                node.CatchAll.Add(route);
                return;
            }
            if (segment.Literal is { } literal)
            {
                if (!node.Literals.TryGetValue(literal, out var next))
                    node.Literals[literal] = next = new Node();
                node = next;
            }
            else
            {
                node = node.Parameter ??= new Node();
            }
        }
        node.End.Add(route);
    }

    private sealed class Node
    {
        public Dictionary<string, Node> Literals { get; } = new(StringComparer.OrdinalIgnoreCase);

        public Node? Parameter { get; set; }

        public RouteSet End { get; } = new();

        public RouteSet CatchAll { get; } = new();
    }

    /// <summary>Numbers of routes, of which few nodes have more than one.</summary>
    private sealed class RouteSet
    {
        private int[] _routes = [];

        public void Add(int route) => _routes = [.. _routes, route];

        public void MarkIn(Span<ulong> candidates)
        {
            foreach (var route in _routes)
                candidates[route / 64] |= 1UL << (route % 64);
        }
    }
}

/// <summary>The address of a function.</summary>
internal sealed class FunctionRoute
{
    private readonly TemplateMatcher _matcher;
    private readonly FrozenSet<string>? _methods;
    private readonly (string Parameter, IRouteConstraint Constraint)[] _constraints;

    public FunctionRoute(Function function, string prefix, IInlineConstraintResolver constraints)
    {
        Function = function;
        var route = function.Text("route");
        // With an empty route the host falls back to the function's name and the worker does not, so no request is ever answered.
        if (route is { Length: 0 })
            throw new InvalidOperationException(
                $"Function '{function.Name}' has an empty route, which the host and the worker read differently.");
        route = (route ?? function.Name).Trim('/');
        if (route.StartsWith("admin", StringComparison.OrdinalIgnoreCase)
            || route.StartsWith("runtime", StringComparison.OrdinalIgnoreCase))
            throw new InvalidOperationException(
                $"Function '{function.Name}' has the route '{route}', but the host keeps routes that begin with 'admin' or 'runtime' "
                + "for itself.");
        Template = $"{prefix}/{route}".TrimStart('/');
        RoutePattern pattern;
        try
        {
            pattern = RoutePatternFactory.Parse(Template);
            var template = new RouteTemplate(pattern);
            _constraints =
            [
                .. template.Parameters.SelectMany(parameter => parameter.InlineConstraints.Select(inline => (
                    parameter.Name!,
                    Resolve(inline.Constraint, parameter.IsOptional, constraints)))),
            ];
            _matcher = new TemplateMatcher(template, new RouteValueDictionary(template.Parameters
                .Where(parameter => parameter.DefaultValue is not null)
                .ToDictionary(parameter => parameter.Name!, parameter => parameter.DefaultValue)));
        }
        catch (Exception e) when (e is RoutePatternException or InvalidOperationException)
        {
            throw new InvalidOperationException($"Function '{function.Name}' has the route '{Template}': {e.Message}", e);
        }
        Methods = function.Texts("methods") is { Count: > 0 } methods ? [.. methods.Select(method => method.ToUpperInvariant())] : [];
        _methods = Methods.Count == 0 ? null : Methods.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        Shapes = RouteShape.Of(pattern, _constraints);
    }

    public Function Function { get; }

    public string Template { get; }

    /// <summary>Upper case; empty for all.</summary>
    public IReadOnlyList<string> Methods { get; }

    /// <summary>The forms of path that the route matches: several where segments at its end can be left out.</summary>
    public IReadOnlyList<RouteShape> Shapes { get; }

    public bool Accepts(string method) => _methods is null || _methods.Contains(method);

    public bool TryMatch(HttpContext context, RouteValueDictionary values)
    {
        if (!_matcher.TryMatch(context.Request.Path, values))
            return false;
        foreach (var (parameter, constraint) in _constraints)
        {
            if (!constraint.Match(context, null, parameter, values, RouteDirection.IncomingRequest))
            {
                values.Clear();
                return false;
            }
        }
        return true;
    }

    private static IRouteConstraint Resolve(string text, bool isOptional, IInlineConstraintResolver constraints)
    {
        var constraint = constraints.ResolveConstraint(text)
            ?? throw new InvalidOperationException($"there is no route constraint '{text}'.");
        return isOptional ? new Microsoft.AspNetCore.Routing.Constraints.OptionalRouteConstraint(constraint) : constraint;
    }
}
